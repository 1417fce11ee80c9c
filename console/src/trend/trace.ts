import type { SeriesBuffer } from "./buffer";

/** Where time and value lie on the canvas, in device pixels. */
export interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
  start: number;
  end: number;
  low: number;
  high: number;
}

export interface Pen {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
}

export interface Trace {
  /** Spans in pixels without a usable value. */
  bad: [number, number][];
  /** Spans in pixels whose value is doubtful. */
  uncertain: [number, number][];
  samples: number;
  lastX: number;
  lastY: number;
}

const rank = (status: number, value: number) =>
  status >= 0x80000000 || value !== value ? 2 : status >= 0x40000000 ? 1 : 0;

/**
 * Draws `buffer` with `solid` where it is good and `dashed` where it is uncertain, as steps or straight lines, `shift` ms later
 * than it was. Where a pixel column holds many good samples it keeps first, lowest, highest and last: the picture is the
 * same, the work bounded by the width.
 */
export function trace(buffer: SeriesBuffer, frame: Frame, step: boolean, solid: Pen, dashed: Pen, shift = 0): Trace {
  const { time, value, status } = buffer;
  const result: Trace = { bad: [], uncertain: [], samples: 0, lastX: NaN, lastY: NaN };
  const from = Math.max(0, buffer.find(frame.start - shift) - 1);
  const to = Math.min(buffer.length, buffer.find(frame.end - shift) + 1);
  if (to <= from) return result;
  result.samples = to - from;
  const scaleX = frame.width / (frame.end - frame.start);
  const originX = frame.left - (frame.start - shift) * scaleX;
  const scaleY = frame.height / (frame.high - frame.low);
  const originY = frame.top + frame.height + frame.low * scaleY;
  const dense = to - from > frame.width * 3;

  let pen: Pen | null = null;
  let x0 = NaN;
  let y0 = NaN;
  let rank0 = 2;
  const line = (next: Pen, x: number, y: number) => {
    if (pen !== next) {
      next.moveTo(x0, y0);
      pen = next;
    }
    if (step) next.lineTo(x, y0);
    next.lineTo(x, y);
  };
  const span = (spans: [number, number][], begin: number, end: number) => {
    const before = spans[spans.length - 1];
    if (before && begin - before[1] < 1) before[1] = Math.max(before[1], end);
    else spans.push([begin, end]);
  };

  for (let at = from; at < to; at++) {
    const x = originX + time[at]! * scaleX;
    const y = originY - value[at]! * scaleY;
    const rank1 = rank(status[at]!, value[at]!);
    if (at > from) {
      const between = step ? rank0 : Math.max(rank0, rank1);
      if (rank0 === 2) span(result.bad, x0, x);
      else if (rank0 === 1) span(result.uncertain, x0, x);
      if (rank0 < 2 && rank1 < 2) line(between === 0 ? solid : dashed, x, y);
      else if (rank0 < 2) {
        const last = rank0 === 0 ? solid : dashed;
        if (step) {
          if (pen !== last) last.moveTo(x0, y0);
          last.lineTo(x, y0);
        } else if (pen === null) dot(last, x0, y0);
        pen = null;
      } else pen = null;
    }
    x0 = x;
    y0 = y;
    rank0 = rank1;
    if (dense && rank1 === 0) {
      // Everything good in this pixel column at once.
      const column = Math.floor(x);
      let lowest = y;
      let highest = y;
      let next = at + 1;
      for (; next < to; next++) {
        if (Math.floor(originX + time[next]! * scaleX) !== column || rank(status[next]!, value[next]!) !== 0) break;
        const other = originY - value[next]! * scaleY;
        if (other < lowest) lowest = other;
        if (other > highest) highest = other;
      }
      if (next > at + 1) {
        if (pen !== solid) solid.moveTo(x, y);
        pen = solid;
        solid.lineTo(x, lowest);
        solid.lineTo(x, highest);
        at = next - 1;
        x0 = originX + time[at]! * scaleX;
        y0 = originY - value[at]! * scaleY;
        solid.lineTo(x, y0);
      }
    }
  }
  if (pen === null && rank0 < 2) dot(rank0 === 0 ? solid : dashed, x0, y0);
  if (rank0 < 2) {
    result.lastX = x0;
    result.lastY = y0;
  }
  return result;
}

function dot(pen: Pen, x: number, y: number): void {
  pen.moveTo(x - 0.6, y);
  pen.lineTo(x + 0.6, y);
}

/** Lowest and highest usable value between two times, with the value that holds at the beginning; null where there is none. */
export function extent(buffer: SeriesBuffer, start: number, end: number): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  const to = Math.min(buffer.length, buffer.find(end) + 1);
  for (let at = Math.max(0, buffer.find(start) - 1); at < to; at++) {
    const value = buffer.value[at]!;
    if (value !== value || buffer.status[at]! >= 0x80000000) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

/** An axis that holds `low` to `high` with some air; `before` stays while it fits well, so that a live axis does not tremble. */
export function axis(low: number, high: number, before: readonly [number, number] | null): [number, number] {
  const air = (high - low) * 0.08 || Math.max(Math.abs(high) * 0.02, 0.5);
  if (before && low >= before[0] && high <= before[1] && high - low + 2 * air > (before[1] - before[0]) * 0.62) {
    return [before[0], before[1]];
  }
  return [low - air, high + air];
}
