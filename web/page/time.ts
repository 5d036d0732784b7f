/** A day: no lecture is longer, and no time beyond it is believed. */
export const longest = 86_400;

/** Seconds, of `15:00` or `1:15:00`; undefined where a text is anything else. */
export function readTime(text: string): number | undefined {
  const parts = /^(?:(\d{1,2}):([0-5]\d)|(\d{1,3})):([0-5]\d)$/.exec(text.trim());
  if (parts === null) return undefined;
  const [, hours = 0, minutesOfHour = 0, minutes = 0, seconds] = parts;
  const time = 3600 * Number(hours) + 60 * (Number(minutesOfHour) + Number(minutes)) + Number(seconds);
  return time <= longest ? time : undefined;
}

export function writeTime(time: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes, seconds] = [
    Math.floor(time / 3600),
    Math.floor(time / 60) % 60,
    Math.floor(time) % 60,
  ];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

/** Whether somebody else's number can be a time: what comes by message may be anything. */
export function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= longest;
}
