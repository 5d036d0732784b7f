/** What pictures of an encoding over positions say. */
export const words = {
  distances: "distance to the next position",
  component: "component",
  distance: (position: number, distance: string) =>
    `Distance from position ${position} to the next: ${distance}`,
};
