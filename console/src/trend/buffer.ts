import type { Scalar } from "../lib/types";

/** A value as a number a chart can draw; NaN where there is none. */
export function numeric(value: Scalar | undefined): number {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return NaN;
}

export interface Columns {
  time_ms: readonly number[];
  value: readonly Scalar[];
  status: readonly number[];
}

/**
 * The samples of one series in time order, at most one a time. Appending is O(1); a late sample finds its place; a sample of a
 * time that is there replaces it, so that history and live may overlap without doubling.
 */
export class SeriesBuffer {
  time = new Float64Array(1024);
  value = new Float64Array(1024);
  status = new Uint32Array(1024);
  length = 0;

  get first(): number {
    return this.length ? this.time[0]! : NaN;
  }

  get last(): number {
    return this.length ? this.time[this.length - 1]! : NaN;
  }

  clear(): void {
    this.length = 0;
  }

  push(time: number, value: number, status: number): void {
    const end = this.length;
    if (end === 0 || time > this.time[end - 1]!) {
      if (end === this.time.length) this.#grow(end * 2);
      this.time[end] = time;
      this.value[end] = value;
      this.status[end] = status;
      this.length = end + 1;
      return;
    }
    const at = this.find(time);
    if (this.time[at] !== time) {
      if (end === this.time.length) this.#grow(end * 2);
      this.time.copyWithin(at + 1, at, end);
      this.value.copyWithin(at + 1, at, end);
      this.status.copyWithin(at + 1, at, end);
      this.time[at] = time;
      this.length = end + 1;
    }
    this.value[at] = value;
    this.status[at] = status;
  }

  append(columns: Columns): void {
    const { time_ms, value, status } = columns;
    for (let at = 0; at < time_ms.length; at++) this.push(time_ms[at]!, numeric(value[at]), status[at] ?? 0);
  }

  /** Becomes `columns`, followed by what was here from `keepAfter` on. */
  replace(columns: Columns, keepAfter = Infinity): void {
    const tail: [number, number, number][] = [];
    for (let at = this.find(keepAfter); at < this.length; at++) {
      tail.push([this.time[at]!, this.value[at]!, this.status[at]!]);
    }
    this.length = 0;
    this.append(columns);
    for (const [time, value, status] of tail) this.push(time, value, status);
  }

  /** Drops what lies before `time`, except the last sample before it, which still draws the line at the edge. */
  trim(time: number): void {
    const at = this.find(time) - 1;
    if (at < 512 || at < this.length / 4) return;
    this.time.copyWithin(0, at, this.length);
    this.value.copyWithin(0, at, this.length);
    this.status.copyWithin(0, at, this.length);
    this.length -= at;
  }

  /** Index of the first sample at or after `time`. */
  find(time: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.time[middle]! < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Index of the sample that holds at `time`: the last at or before it; -1 where there is none. */
  at(time: number): number {
    const index = this.find(time);
    return index < this.length && this.time[index] === time ? index : index - 1;
  }

  #grow(size: number): void {
    const time = new Float64Array(size);
    const value = new Float64Array(size);
    const status = new Uint32Array(size);
    time.set(this.time);
    value.set(this.value);
    status.set(this.status);
    this.time = time;
    this.value = value;
    this.status = status;
  }
}
