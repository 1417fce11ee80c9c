import { untrack } from "svelte";
import { SvelteMap } from "svelte/reactivity";
import { numeric } from "../trend/buffer";
import { post } from "./api";
import { live, type Subscription } from "./live.svelte";
import type { Point, QueryResult, Scalar } from "./types";

export interface Latest {
  time: number;
  value: Scalar;
  status: number;
}

/** What a point's last sample is, as a value of its type rather than as the text the listing carries. */
export function lastOf(point: Point): Latest | null {
  const { last } = point;
  if (!last || last.time_ms === null || last.time_ms === undefined) return null;
  let value: Scalar = last.value;
  if (point.storage === "boolean") value = last.number === null ? null : last.number !== 0;
  else if (last.number !== null && last.number !== undefined && point.storage !== "text") value = last.number;
  return { time: last.time_ms, value, status: last.status };
}

/** The newest sample of the points watched, taken from the live stream and shown at most a few times a second. */
export class LatestValues {
  values = new SvelteMap<string, Latest>();
  /** Short histories for sparklines, of the series asked for. */
  recent = new SvelteMap<string, number[]>();
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- nothing is shown of it
  #pending = new Map<string, Latest>();
  #subscription: Subscription | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #keep: number;
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- nothing is shown of it
  #filled = new Set<string>();

  constructor(keep = 0) {
    this.#keep = keep;
  }

  /** Fills the short histories with the last ten minutes, where they are empty. */
  async backfill(points: readonly Point[]): Promise<void> {
    const empty = points.filter((point) => !this.#filled.has(point.series) && point.storage === "double");
    if (!empty.length) return;
    for (const point of empty) this.#filled.add(point.series);
    const body = {
      kind: "downsample",
      points: empty.map((point) => point.series),
      last: "10m",
      points_wanted: this.#keep,
    };
    const answer = await post<QueryResult>("/query", body).catch(() => null);
    for (const one of answer?.series ?? []) {
      const numbers = (one.value ?? []).map(numeric).filter((number) => number === number);
      this.recent.set(one.series, [...numbers, ...(this.recent.get(one.series) ?? [])].slice(-this.#keep));
    }
  }

  watch(points: readonly Point[]): void {
    untrack(() => {
      for (const point of points) {
        const last = lastOf(point);
        const known = this.values.get(point.series);
        if (last && (!known || known.time < last.time)) this.values.set(point.series, last);
      }
    });
    const series = points.map((point) => point.series);
    if (this.#subscription) this.#subscription.watch(series);
    else {
      this.#subscription = live.listen({
        series,
        onSamples: (samples) => {
          for (const id in samples) {
            const one = samples[id]!;
            const end = one.time_ms.length - 1;
            if (end < 0) continue;
            this.#pending.set(id, {
              time: one.time_ms[end]!,
              value: one.value[end] ?? null,
              status: one.status[end] ?? 0,
            });
          }
          this.#timer ??= setTimeout(() => this.#show(), 250);
        },
      });
    }
  }

  close(): void {
    this.#subscription?.close();
    clearTimeout(this.#timer);
  }

  #show(): void {
    this.#timer = undefined;
    for (const [id, latest] of this.#pending) {
      const known = this.values.get(id);
      if (known && known.time > latest.time) continue;
      this.values.set(id, latest);
      if (this.#keep) {
        const number = numeric(latest.value);
        if (number === number) this.recent.set(id, [...(this.recent.get(id) ?? []).slice(1 - this.#keep), number]);
      }
    }
    this.#pending.clear();
  }
}
