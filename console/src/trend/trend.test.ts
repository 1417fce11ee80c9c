import { describe, expect, it } from "vitest";
import { SeriesBuffer } from "./buffer";
import { formatSpan, parseSpan, readUrl, writeUrl, zoomed } from "./range";
import { axis, extent, trace, type Frame } from "./trace";

const columns = (times: number[], values: (number | null | boolean)[] = times, status = 0) => ({
  time_ms: times,
  value: values,
  status: times.map(() => status),
});
const times = (buffer: SeriesBuffer) => [...buffer.time.subarray(0, buffer.length)];
const values = (buffer: SeriesBuffer) => [...buffer.value.subarray(0, buffer.length)];

describe("SeriesBuffer", () => {
  it("keeps time order whatever the order of arrival, one sample a time", () => {
    const buffer = new SeriesBuffer();
    buffer.append(columns([1, 5, 9]));
    buffer.append(columns([5, 3, 9, 12, 0], [50, 30, 90, 120, 0]));
    expect(times(buffer)).toEqual([0, 1, 3, 5, 9, 12]);
    expect(values(buffer)).toEqual([0, 1, 30, 50, 90, 120]);
  });

  it("joins history and live without gap or double", () => {
    const buffer = new SeriesBuffer();
    buffer.append(columns([100, 110, 120])); // live, from before the question
    const history = columns([10, 20, 90, 100, 110]);
    buffer.replace(history, 110 + 1e-3);
    expect(times(buffer)).toEqual([10, 20, 90, 100, 110, 120]);
  });

  it("forgets what a fixed window replaced", () => {
    const buffer = new SeriesBuffer();
    buffer.append(columns([1000, 2000]));
    buffer.replace(columns([1, 2, 3]));
    expect(times(buffer)).toEqual([1, 2, 3]);
  });

  it("grows, and trims all but the last sample before the window", () => {
    const buffer = new SeriesBuffer();
    for (let time = 0; time < 5000; time++) buffer.push(time, time, 0);
    buffer.trim(4000);
    expect(buffer.first).toBe(3999);
    expect(buffer.last).toBe(4999);
    expect(buffer.length).toBe(1001);
  });

  it("finds the sample that holds", () => {
    const buffer = new SeriesBuffer();
    buffer.append(columns([10, 20, 30]));
    expect([5, 10, 15, 30, 99].map((time) => buffer.at(time))).toEqual([-1, 0, 0, 2, 2]);
  });

  it("takes no value and on and off", () => {
    const buffer = new SeriesBuffer();
    buffer.append(columns([1, 2, 3], [null, true, false]));
    expect(values(buffer)).toEqual([NaN, 1, 0]);
  });
});

class Recorder {
  strokes: [number, number][][] = [];
  moveTo(x: number, y: number) {
    this.strokes.push([[x, y]]);
  }
  lineTo(x: number, y: number) {
    this.strokes.at(-1)!.push([x, y]);
  }
}
const frame: Frame = { left: 0, top: 0, width: 100, height: 100, start: 0, end: 100, low: 0, high: 100 };

function draw(buffer: SeriesBuffer, step = false, shift = 0) {
  const solid = new Recorder();
  const dashed = new Recorder();
  return { solid, dashed, found: trace(buffer, frame, step, solid, dashed, shift) };
}

describe("trace", () => {
  it("joins good samples by straight lines, or as steps", () => {
    const buffer = new SeriesBuffer();
    buffer.append(columns([10, 20, 30], [10, 50, 20]));
    expect(draw(buffer).solid.strokes).toEqual([
      [
        [10, 90],
        [20, 50],
        [30, 80],
      ],
    ]);
    expect(draw(buffer, true).solid.strokes[0]).toEqual([
      [10, 90],
      [20, 90],
      [20, 50],
      [30, 50],
      [30, 80],
    ]);
  });

  it("leaves a gap where samples are bad and says where", () => {
    const buffer = new SeriesBuffer();
    buffer.append(columns([10, 20]));
    buffer.append(columns([30, 40], [null, null], 0x80310000));
    buffer.append(columns([50, 60]));
    const { solid, found } = draw(buffer);
    expect(solid.strokes.length).toBe(2);
    expect(solid.strokes[1]![0]).toEqual([50, 50]);
    expect(found.bad).toEqual([[30, 50]]);
  });

  it("dashes what is uncertain", () => {
    const buffer = new SeriesBuffer();
    buffer.append(columns([10, 20]));
    buffer.append(columns([30, 40], [30, 40], 0x40900000));
    const { solid, dashed, found } = draw(buffer);
    expect(solid.strokes.flat().at(-1)).toEqual([20, 80]);
    expect(dashed.strokes.flat().at(-1)).toEqual([40, 60]);
    expect(found.uncertain).toEqual([[30, 40]]);
  });

  it("bounds its work by the width and keeps the extremes", () => {
    const buffer = new SeriesBuffer();
    for (let at = 0; at < 100_000; at++) buffer.push(at / 1000, at === 54_321 ? 99 : 50 + (at % 2), 0);
    const { solid } = draw(buffer);
    const drawn = solid.strokes.flat();
    expect(drawn.length).toBeLessThan(100 * 8);
    expect(Math.min(...drawn.map(([, y]) => y))).toBeCloseTo(1);
  });

  it("draws an earlier period later by the shift", () => {
    const buffer = new SeriesBuffer();
    buffer.append(columns([10, 20]));
    expect(draw(buffer, false, 30).solid.strokes[0]!.map(([x]) => x)).toEqual([40, 50]);
  });

  it("shows a lonely sample", () => {
    const buffer = new SeriesBuffer();
    buffer.append(columns([50]));
    expect(draw(buffer).solid.strokes.length).toBe(1);
  });
});

describe("axes", () => {
  it("see what holds at the edge, and nothing bad", () => {
    const buffer = new SeriesBuffer();
    buffer.append(columns([0, 50], [7, 9]));
    buffer.append(columns([60], [1000], 0x80000000));
    expect(extent(buffer, 10, 40)).toEqual([7, 9]);
    expect(extent(buffer, 52, 90)).toEqual([9, 9]);
    expect(extent(new SeriesBuffer(), 0, 1)).toBeNull();
  });

  it("stay while they fit, so that a live chart does not tremble", () => {
    const first = axis(0, 10, null);
    expect(axis(0.2, 9.8, first)).toEqual(first);
    expect(axis(0, 12, first)).not.toEqual(first);
    expect(axis(4, 5, first)).not.toEqual(first);
    const [low, high] = axis(5, 5, null);
    expect(low).toBeLessThan(5);
    expect(high).toBeGreaterThan(5);
  });
});

describe("the address of a trend", () => {
  it("is read as it was written", () => {
    const shared = {
      points: ["99.1/a#b,c", "99.1/压力#x"],
      range: { live: true as const, span: 900_000 },
      compare: 86_400_000,
    };
    expect(readUrl(writeUrl(shared))).toEqual(shared);
    const fixed = {
      points: ["1/a#b"],
      range: { live: false as const, start: 1_000_000, end: 2_000_000 },
      compare: null,
    };
    expect(readUrl(writeUrl(fixed))).toEqual(fixed);
  });

  it("forgives nonsense", () => {
    const { range, compare } = readUrl(new URLSearchParams("from=x&to=y&last=-3&compare=q"));
    expect(range).toEqual({ live: true, span: 900_000 });
    expect(compare).toBeNull();
  });

  it("writes spans short", () => {
    expect(["15m", "1h30m", "7d", "90s", "", "5x", "m"].map(parseSpan)).toEqual([
      900_000,
      5_400_000,
      604_800_000,
      90_000,
      null,
      null,
      null,
    ]);
    expect([900_000, 90_000, 604_800_000, 1_209_600_000].map(formatSpan)).toEqual(["15m", "90s", "7d", "2w"]);
  });

  it("zooms about its anchor and never to nothing", () => {
    expect(zoomed(0, 100, 25, 0.5)).toEqual({ start: 12.5, end: 62.5 });
    const { start, end } = zoomed(0, 100, 50, 1e-9);
    expect(end - start).toBeCloseTo(20);
  });
});
