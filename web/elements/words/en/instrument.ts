/** What every instrument says while it has no engine, or none that does as it is asked. */
export const words = {
  starting: "Starting the engine …",
  notStarted: (why: string) => `The engine could not be started. ${why}`,
  refused: (why: string) => `The engine refused: ${why}`,
};
