import { describe, expect, test, vi } from "vitest";
import type { Place } from "../../web/page/address.js";
import { Clock } from "../../web/page/follow/clock.js";
import { Follower, resting } from "../../web/page/follow/follower.js";
import { Source } from "../../web/page/follow/source.js";
import { youtubeAddress, youtubeId } from "../../web/page/follow/youtube.js";
import { lecture, passed } from "../../web/page/lecture.js";

/** A player that a test moves. */
class Player extends Source {
  time = 0;
  playing = true;
  /** A player across a border is where it was sent only a while later. */
  isSlow = false;
  seek(time: number) {
    if (!this.isSlow) this.at(time);
  }
  play() {}
  pause() {}
  at(time: number) {
    this.time = time;
    this.tell();
  }
}

function beside() {
  const player = new Player();
  const gone: Place[] = [];
  const clock = { now: 0, isWriting: false };
  const follower: Follower = new Follower(
    (place) => {
      gone.push(place);
      follower.arrived(place.chapter);
    },
    lecture,
    () => clock.isWriting,
    () => clock.now,
  );
  follower.arrived("none");
  follower.use(player);
  return { player, gone, clock, follower, chapters: () => gone.map(({ chapter }) => chapter) };
}

test("the lecture's notes stand at the times of the lecture, each in a chapter", () => {
  expect([...new Set(lecture.map(({ time }) => time))]).toEqual([900, 1200, 1500, 1800]);
  expect(lecture[0]?.place).toEqual({ chapter: "rotary", state: { position: "12" } });
  for (const { text } of lecture) expect(text).not.toMatch(/#|\]\(/);
  expect(passed(lecture, 899)).toBe(undefined);
  expect(passed(lecture, 1799.9)).toBe(lecture[2]);
});

describe("following", () => {
  test("goes where the lecture is, forwards and back, once for each of its times", () => {
    const { player, chapters } = beside();
    for (const time of [10, 899, 900, 901, 1199, 1200, 1505, 1506, 950, 0, 1801]) player.at(time);
    expect(chapters()).toEqual(["rotary", "block", "bands", "rotary", "bands"]);
  });

  test("is off as soon as the student goes elsewhere, and on again when asked", () => {
    const { player, follower, chapters } = beside();
    player.at(900);
    follower.arrived("rotary");
    expect(follower.following).toBe(true);
    follower.arrived("latent");
    expect([follower.following, follower.strayed]).toEqual([false, true]);
    player.at(1200);
    expect(chapters()).toEqual(["rotary"]);
    follower.follow(true);
    expect([follower.following, follower.strayed]).toEqual([true, false]);
    expect(chapters()).toEqual(["rotary", "block"]);
  });

  test("waits for hands to rest, and for a note to be written", () => {
    const { player, follower, clock, chapters } = beside();
    follower.touch();
    player.at(900);
    expect(follower.waits).toBe(true);
    clock.now = resting - 1;
    player.at(901);
    expect(chapters()).toEqual([]);
    clock.now = resting;
    clock.isWriting = true;
    player.at(902);
    expect(chapters()).toEqual([]);
    clock.isWriting = false;
    player.at(903);
    expect(chapters()).toEqual(["rotary"]);
    expect(follower.waits).toBe(false);
  });

  test("a stamp sends the player, and is not undone while that is on its way", () => {
    const { player, follower, clock, gone } = beside();
    player.at(1201);
    player.isSlow = true;
    const latent = lecture.at(-1) as (typeof lecture)[number];
    follower.seek(latent.time, latent.place);
    player.at(1202);
    expect(gone.map(({ chapter }) => chapter)).toEqual(["block", "latent"]);
    player.at(1800);
    player.at(1805);
    expect(gone.length).toBe(2);
    // It has been there: whatever is next is the lecture.
    player.at(1203);
    expect(gone.at(-1)?.chapter).toBe("block");
    // A player that never goes there is believed after a while.
    follower.seek(900, { chapter: "rotary" });
    clock.now += 10_000;
    player.at(1806);
    expect(gone.at(-1)?.chapter).toBe("bands");
  });

  test("lets go of what it followed before", () => {
    const { player, follower, gone } = beside();
    follower.use(undefined);
    player.at(900);
    expect(gone).toEqual([]);
    expect([follower.following, follower.time]).toEqual([false, undefined]);
  });

  test("a clock that was never started tells no time", () => {
    const { follower } = beside();
    const clock = new Clock(() => 0);
    follower.use(clock);
    expect(follower.time).toBe(undefined);
    clock.seek(61.5);
    expect(follower.time).toBe(61);
  });
});

test("a clock runs, stops, is set, and tells it", () => {
  vi.useFakeTimers();
  try {
    let now = 5000;
    const clock = new Clock(() => now);
    const told = vi.fn();
    clock.addEventListener("change", told);
    clock.play();
    clock.play();
    now += 2500;
    vi.advanceTimersByTime(2500);
    expect([clock.time, clock.playing]).toEqual([2.5, true]);
    expect(told).toHaveBeenCalledTimes(11);
    clock.seek(900);
    now += 1000;
    expect(clock.time).toBe(901);
    clock.pause();
    now += 1000;
    expect([clock.time, clock.playing]).toEqual([901, false]);
    clock.play();
    clock.close();
    told.mockClear();
    vi.advanceTimersByTime(1000);
    expect(told).not.toHaveBeenCalled();
  } finally {
    vi.useRealTimers();
  }
});

test("an id of YouTube's is found in each form of address, and in nothing else", () => {
  const id = "abcDEF_-123";
  for (const pasted of [
    id,
    ` ${id} `,
    `https://www.youtube.com/watch?v=${id}&t=900s`,
    `youtube.com/watch?list=x&v=${id}`,
    `https://youtu.be/${id}?si=x`,
    `https://m.youtube.com/shorts/${id}`,
    `https://www.youtube.com/live/${id}`,
    `https://www.youtube-nocookie.com/embed/${id}`,
  ])
    expect(youtubeId(pasted)).toBe(id);
  for (const pasted of [
    "",
    "short",
    `${id}4`,
    `https://example.org/watch?v=${id}`,
    `https://youtube.com.example.org/watch?v=${id}`,
    `https://youtube.com/watch?v=${id}"><script>`,
    `javascript:alert("${id}")`,
    "https://www.youtube.com/watch",
    "http://",
  ])
    expect(youtubeId(pasted)).toBe(undefined);
  expect(youtubeAddress(id, "http://localhost:8000")).toBe(
    `https://www.youtube-nocookie.com/embed/${id}?enablejsapi=1&origin=http%3A%2F%2Flocalhost%3A8000`,
  );
  expect(youtubeAddress(id, "null")).toBe(`https://www.youtube-nocookie.com/embed/${id}?enablejsapi=1`);
});
