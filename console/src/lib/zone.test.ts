import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clock, moment } from "./format";
import { offsetText, twice, withOffsets } from "./zone";

const before = process.env.TZ;
const hour = 3_600_000;
const back = Date.UTC(2026, 9, 25, 1); // Berlin goes from UTC+2 to UTC+1: 02:00 to 03:00 comes twice
const ahead = Date.UTC(2026, 2, 29, 1); // Berlin goes from UTC+1 to UTC+2: 02:00 to 03:00 is left out

describe("a change of summer time", () => {
  beforeEach(() => (process.env.TZ = "Europe/Berlin"));
  afterEach(() => {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  });

  it("names the offset", () => {
    expect([back - 1, back, Date.UTC(2026, 6, 1)].map(offsetText)).toEqual(["UTC+2", "UTC+1", "UTC+2"]);
  });

  it("knows the hour that comes twice, to the millisecond", () => {
    const moments = [back - hour - 1, back - hour, back - 1, back, back + hour - 1, back + hour];
    expect(moments.map(twice)).toEqual([false, true, true, true, true, false]);
    expect([ahead - 1, ahead, ahead + hour].map(twice)).toEqual([false, false, false]);
  });

  it("tells the two apart in texts, and only these", () => {
    expect(clock(back - hour)).toBe(clock(back));
    expect([back - hour, back].map((time) => moment(time, 0))).toEqual([
      "2026-10-25 02:00:00 UTC+2",
      "2026-10-25 02:00:00 UTC+1",
    ]);
    expect(moment(back - 2 * hour, 0)).toBe("2026-10-25 01:00:00");
    expect(moment(back + 5, 0, true)).toBe("2026-10-25 02:00:00.005 UTC+1");
  });

  it("shows on an axis where an hour repeats", () => {
    const times = [-3, -2, -1, 0, 1, 2].map((step) => back + step * hour);
    const labels = times.map((time) => clock(time).slice(0, 5));
    expect(withOffsets(labels, times)).toEqual(["00:00", "01:00", "02:00\nUTC+2", "02:00\nUTC+1", "03:00", "04:00"]);
  });

  it("shows on an axis where an hour is left out", () => {
    const times = [-2, -1, 0, 1].map((step) => ahead + step * hour);
    const labels = times.map((time) => clock(time).slice(0, 5));
    expect(withOffsets(labels, times)).toEqual(["00:00", "01:00\nUTC+1", "03:00\nUTC+2", "04:00"]);
    expect(withOffsets(["a", null, "b"], [0, 1, 2])).toEqual(["a", null, "b"]);
  });
});

describe("other zones", () => {
  afterEach(() => {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  });

  it("may change by half an hour, lie behind, or never change", () => {
    process.env.TZ = "Australia/Lord_Howe";
    const end = Date.UTC(2026, 3, 4, 15);
    expect([end - 1, end, end + hour / 2].map(twice)).toEqual([true, true, false]);
    expect(offsetText(end)).toBe("UTC+10:30");
    process.env.TZ = "America/St_Johns";
    expect(offsetText(Date.UTC(2026, 0, 1))).toBe("UTC−03:30");
    process.env.TZ = "Asia/Shanghai";
    expect([Date.UTC(2026, 3, 1), Date.UTC(2026, 9, 1)].map(twice)).toEqual([false, false]);
    process.env.TZ = "UTC";
    expect(offsetText(0)).toBe("UTC");
  });
});
