import { post } from "../lib/api";
import { live, type Samples, type Subscription } from "../lib/live.svelte";
import { toasts } from "../lib/toasts.svelte";
import type { Point, QueryResult, SeriesData } from "../lib/types";
import { SeriesBuffer } from "./buffer";

export interface Entry {
  point: Point;
  buffer: SeriesBuffer;
  compared: SeriesBuffer;
}

interface Loaded {
  start: number;
  end: number;
  wanted: number;
  complete: boolean;
}

const margin = 0.5;
const topUps = [1500, 5000];

/** Nanoseconds since 1970 as digits, which JSON numbers of a browser could not hold. */
export const nanoseconds = (ms: number) => `${Math.round(ms * 1000)}000`;

/** Whether a point has values that a line can go through. */
export const drawable = (point: Point): boolean => !["text", "bytes", "structure"].includes(point.storage ?? "double");

/**
 * The samples a trend shows. `show` says what is looked at; history is fetched with half a window to each side, at as many
 * samples as there are pixels, and again when the view leaves it or looks closer than it holds. Live samples are taken from
 * before the history is asked for, and the seam is fetched again shortly after: nothing is missing there and nothing twice.
 */
export class TrendData {
  readonly entries = new Map<string, Entry>();
  resolution = "";
  truncated = false;
  loading = false;
  #changed: () => void;
  #subscription: Subscription | null = null;
  #loaded: Loaded | null = null;
  /** What is being fetched: a view that it will answer is not asked for again. */
  #coming: Loaded | null = null;
  #comparedComing: Loaded | null = null;
  #comparedLoaded: Loaded | null = null;
  #shift = 0;
  #following = false;
  #view = { start: 0, end: 0, wanted: 1000 };
  #abort: AbortController | null = null;
  #planned: ReturnType<typeof setTimeout> | undefined;
  #topUp: ReturnType<typeof setTimeout>[] = [];
  #reloadedAt = 0;
  #failures = 0;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  setPoints(points: readonly Point[]): void {
    const wanted = new Set(points.map((point) => point.series));
    let added = false;
    for (const series of [...this.entries.keys()]) if (!wanted.has(series)) this.entries.delete(series);
    for (const point of points) {
      const entry = this.entries.get(point.series);
      if (entry) entry.point = point;
      else {
        this.entries.set(point.series, { point, buffer: new SeriesBuffer(), compared: new SeriesBuffer() });
        added = true;
      }
    }
    if (added) this.#loaded = this.#comparedLoaded = this.#coming = this.#comparedComing = null;
    this.#subscribe();
    this.#plan(0);
    this.#changed();
  }

  /** Says what is looked at. `wanted` is how many samples a window can show. */
  show(start: number, end: number, wanted: number, following: boolean, shift: number): void {
    this.#view = { start, end, wanted };
    if (shift !== this.#shift) {
      this.#shift = shift;
      this.#comparedLoaded = null;
      for (const entry of this.entries.values()) entry.compared.clear();
    }
    if (following !== this.#following) {
      this.#following = following;
      this.#subscribe();
      if (following) this.#loaded = null;
    }
    const answered = (loaded: Loaded | null, coming: Loaded | null, by: number) =>
      this.#enough(loaded, by) || this.#enough(coming, by);
    if (
      !answered(this.#loaded, this.#coming, 0) ||
      (shift && !answered(this.#comparedLoaded, this.#comparedComing, shift))
    ) {
      this.#planned ??= setTimeout(() => void this.#load(), 120);
    }
  }

  close(): void {
    this.#subscription?.close();
    this.#abort?.abort();
    clearTimeout(this.#planned);
    for (const timer of this.#topUp) clearTimeout(timer);
  }

  #enough(loaded: Loaded | null, shift: number): boolean {
    if (!loaded) return false;
    const { start, end, wanted } = this.#view;
    const now = Date.now();
    if (start - shift < loaded.start) return false;
    if (end - shift > loaded.end && !(this.#following && shift === 0) && loaded.end < now - 1000) return false;
    if (loaded.complete) return true;
    return ((end - start) / (loaded.end - loaded.start)) * loaded.wanted > wanted * 0.4;
  }

  #plan(delay: number): void {
    clearTimeout(this.#planned);
    this.#planned = setTimeout(() => void this.#load(), delay);
  }

  async #load(): Promise<void> {
    this.#planned = undefined;
    this.#abort?.abort();
    this.#coming = this.#comparedComing = null;
    const abort = (this.#abort = new AbortController());
    const ids = [...this.entries.keys()];
    const { start, end, wanted } = this.#view;
    if (!ids.length || end <= start) return;
    this.loading = true;
    this.#changed();
    try {
      const jobs: Promise<void>[] = [];
      if (!this.#enough(this.#loaded, 0)) jobs.push(this.#fetch(ids, start, end, wanted, 0, abort.signal));
      if (this.#shift && !this.#enough(this.#comparedLoaded, this.#shift)) {
        jobs.push(this.#fetch(ids, start, end, wanted, this.#shift, abort.signal));
      }
      await Promise.all(jobs);
      this.#failures = 0;
    } catch (error) {
      if (abort.signal.aborted) return;
      if (this.#failures++ === 0) toasts.failed(error);
      this.#plan(Math.min(30_000, 1000 * 2 ** this.#failures));
    } finally {
      if (this.#abort === abort) {
        this.loading = false;
        this.#coming = this.#comparedComing = null;
      }
      this.#changed();
    }
  }

  async #fetch(ids: string[], start: number, end: number, wanted: number, shift: number, signal: AbortSignal) {
    const span = end - start;
    const from = start - shift - span * margin;
    const to = Math.min(end - shift + span * margin, Date.now() + 60_000);
    const asked = Math.min(20_000, Math.round(wanted * Math.max(0.2, (to - from) / span)));
    const coming: Loaded = { start: from, end: to, wanted: asked, complete: false };
    if (shift) this.#comparedComing = coming;
    else this.#coming = coming;
    const body = {
      kind: "downsample",
      points: ids,
      start: nanoseconds(from),
      end: nanoseconds(to),
      points_wanted: asked,
    };
    const answer = await post<QueryResult>("/query", body, { signal });
    const complete =
      answer.resolution === "raw" &&
      !answer.truncated &&
      answer.series.every((one) => (one.time_ms?.length ?? 0) < asked * 0.9);
    for (const one of answer.series) {
      const entry = this.entries.get(one.series);
      if (!entry) continue;
      if (shift) entry.compared.replace(columns(one));
      else {
        const newest = one.time_ms?.at(-1);
        entry.buffer.replace(columns(one), this.#following ? Math.max(newest ?? from, from) + 1e-3 : Infinity);
      }
    }
    const loaded = { ...coming, complete };
    if (shift) this.#comparedLoaded = loaded;
    else {
      this.#loaded = loaded;
      this.resolution = answer.resolution ?? "";
      this.truncated = answer.truncated ?? false;
      this.#reloadedAt = Date.now();
      if (this.#following) this.#seam();
    }
    this.#changed();
    await this.#holding(answer.series, from, shift, signal);
  }

  /** What held at the left edge, for series that have no sample there: a value may be older than the window. */
  async #holding(series: readonly SeriesData[], from: number, shift: number, signal: AbortSignal): Promise<void> {
    const edge = this.#view.start - shift;
    const open = series.filter((one) => !one.time_ms?.length || one.time_ms[0]! > edge).map((one) => one.series);
    if (!open.length) return;
    const body = { kind: "instants", points: open, instants: [nanoseconds(from)], linear: false };
    const answer = await post<QueryResult>("/query", body, { signal }).catch(() => null);
    for (const one of answer?.series ?? []) {
      const entry = this.entries.get(one.series);
      if (!entry || !one.time_ms?.length || one.value?.[0] === null || one.value?.[0] === undefined) continue;
      (shift ? entry.compared : entry.buffer).append(columns(one));
    }
  }

  /** Fetches the last seconds again: what was on its way between history and live has arrived by then. */
  #seam(): void {
    for (const timer of this.#topUp) clearTimeout(timer);
    this.#topUp = topUps.map((delay) => setTimeout(() => void this.#fill(Date.now() - delay - 12_000), delay));
  }

  async #fill(since: number): Promise<void> {
    const ids = [...this.entries.keys()];
    if (!ids.length) return;
    const body = {
      kind: "raw",
      points: ids,
      start: nanoseconds(since),
      end: nanoseconds(Date.now() + 60_000),
      limit: 200_000,
    };
    const answer = await post<QueryResult>("/query", body).catch(() => null);
    for (const one of answer?.series ?? []) if (one.time_ms) this.entries.get(one.series)?.buffer.append(columns(one));
    if (answer) this.#changed();
  }

  #subscribe(): void {
    const ids = this.#following ? [...this.entries.keys()] : [];
    if (!ids.length) {
      this.#subscription?.close();
      this.#subscription = null;
    } else if (this.#subscription) this.#subscription.watch(ids);
    else {
      this.#subscription = live.listen({
        series: ids,
        onSamples: (series) => this.#arrived(series),
        onGap: (since) => {
          if (Date.now() - since < 600_000) void this.#fill(since);
          else {
            this.#loaded = null;
            this.#plan(0);
          }
        },
      });
    }
  }

  #arrived(series: Record<string, Samples>): void {
    let any = false;
    let crowded = false;
    for (const id in series) {
      const entry = this.entries.get(id);
      if (!entry) continue;
      entry.buffer.append(series[id]!);
      entry.buffer.trim(this.#view.start - (this.#view.end - this.#view.start));
      if (entry.buffer.length > Math.max(20_000, this.#view.wanted * 8)) crowded = true;
      any = true;
    }
    if (crowded && Date.now() - this.#reloadedAt > 15_000) {
      this.#loaded = null;
      this.#plan(0);
    }
    if (any) this.#changed();
  }
}

function columns(one: SeriesData) {
  return { time_ms: one.time_ms ?? [], value: one.value ?? [], status: one.status ?? [] };
}
