import { get, root, search } from "./api";
import type { ConnectorStatus, EventItem, Scalar } from "./types";

export interface Samples {
  time_ms: number[];
  value: Scalar[];
  status: number[];
}

export interface Said {
  component: string;
  name: string;
  status: ConnectorStatus;
}

export interface Listener {
  series?: readonly string[];
  onSamples?: (series: Record<string, Samples>) => void;
  /** A component said how it is, e.g. the edge of one of its connectors. */
  onStatus?: (said: Said) => void;
  onEvent?: (event: EventItem) => void;
  /** The stream was away; whatever came after `since` (ms) may be missing and is to be fetched. */
  onGap?: (since: number) => void;
}

export interface Subscription {
  watch(series: readonly string[]): void;
  close(): void;
}

export type LinkState = "idle" | "connecting" | "live" | "waiting";

const hiddenGrace = 45_000;
const firstDelay = 500;
const longestDelay = 15_000;

/**
 * One `EventSource` for the whole page. Every listener says what it wants; the stream carries the union. When the union grows,
 * the new stream opens before the old one closes, so that nothing falls between them; what comes twice is the listener's to
 * recognise by its time. After a lost connection each listener is told since when.
 */
class LiveStream {
  state = $state<LinkState>("idle");
  lagged = $state(0);
  #listeners = new Set<Listener>();
  #source: EventSource | null = null;
  #next: EventSource | null = null;
  #carried = { series: new Set<string>(), topics: new Set<string>() };
  #planned: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #hidden: ReturnType<typeof setTimeout> | undefined;
  #attempts = 0;
  #lastHeard = 0;
  #awaySince = 0;

  constructor() {
    document.addEventListener("visibilitychange", () => this.#visibility());
    addEventListener("online", () => {
      if (this.state === "waiting") this.#open();
    });
    addEventListener("pagehide", () => this.#shut());
  }

  listen(listener: Listener): Subscription {
    this.#listeners.add(listener);
    this.#plan();
    return {
      watch: (series) => {
        listener.series = [...series];
        this.#plan();
      },
      close: () => {
        this.#listeners.delete(listener);
        this.#plan();
      },
    };
  }

  /** Ends the stream, e.g. after a logout. */
  stop(): void {
    this.#listeners.clear();
    this.#shut();
    this.state = "idle";
  }

  #wanted() {
    // eslint-disable-next-line svelte/prefer-svelte-reactivity -- nothing is shown of it
    const series = new Set<string>();
    // eslint-disable-next-line svelte/prefer-svelte-reactivity -- nothing is shown of it
    const topics = new Set<string>();
    for (const listener of this.#listeners) {
      for (const id of listener.series ?? []) series.add(id);
      if (listener.onStatus) topics.add("status");
      if (listener.onEvent) topics.add("events");
    }
    if (series.size) topics.add("samples");
    return { series, topics };
  }

  #plan(): void {
    clearTimeout(this.#planned);
    const { series, topics } = this.#wanted();
    if (!topics.size) {
      this.#planned = setTimeout(() => {
        this.#shut();
        this.state = "idle";
      }, 2000);
      return;
    }
    const covered = (wanted: Set<string>, carried: Set<string>) => [...wanted].every((item) => carried.has(item));
    const open = this.#source ?? this.#next;
    if (open && covered(series, this.#carried.series) && covered(topics, this.#carried.topics)) {
      const surplus = this.#carried.series.size - series.size;
      if (surplus > 50) this.#planned = setTimeout(() => this.#open(), 5000);
      return;
    }
    if (this.state !== "waiting") this.#planned = setTimeout(() => this.#open(), 60);
  }

  #open(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#planned);
    if (document.hidden && this.#awaySince) return;
    this.#next?.close();
    const { series, topics } = this.#wanted();
    if (!topics.size) return;
    if (!this.#source) this.state = "connecting";
    const source = new EventSource(
      `${root}/live${search({ points: [...series].join(","), topics: [...topics].join(",") })}`,
    );
    this.#next = source;
    this.#carried = { series, topics };
    source.addEventListener("open", () => {
      if (this.#next !== source) return;
      this.#source?.close();
      this.#source = source;
      this.#next = null;
      this.#attempts = 0;
      this.state = "live";
      if (this.#awaySince) {
        const since = this.#awaySince;
        this.#awaySince = 0;
        for (const listener of this.#listeners) listener.onGap?.(since);
      }
    });
    source.addEventListener("error", () => this.#failed(source));
    source.addEventListener("samples", (message) => {
      this.#lastHeard = Date.now();
      const { series: data } = JSON.parse(message.data as string) as { series: Record<string, Samples> };
      for (const listener of this.#listeners) listener.onSamples?.(data);
    });
    source.addEventListener("status", (message) => {
      this.#lastHeard = Date.now();
      const status = JSON.parse(message.data as string) as Said;
      for (const listener of this.#listeners) listener.onStatus?.(status);
    });
    source.addEventListener("event", (message) => {
      this.#lastHeard = Date.now();
      const event = JSON.parse(message.data as string) as EventItem;
      for (const listener of this.#listeners) listener.onEvent?.(event);
    });
    source.addEventListener("lagged", (message) => {
      const { dropped } = JSON.parse(message.data as string) as { dropped?: number };
      this.lagged += dropped ?? 0;
      const since = Date.now() - 5000;
      for (const listener of this.#listeners) listener.onGap?.(since);
    });
  }

  #failed(source: EventSource): void {
    if (source !== this.#source && source !== this.#next) return;
    this.#away();
    this.#attempts++;
    this.state = "waiting";
    if (this.#attempts === 2) void get("/session").catch(() => undefined);
    const delay = Math.min(longestDelay, firstDelay * 2 ** (this.#attempts - 1)) * (0.5 + Math.random());
    this.#retry = setTimeout(() => this.#open(), delay);
  }

  #away(): void {
    if (!this.#awaySince && this.#source) this.#awaySince = (this.#lastHeard || Date.now()) - 2000;
    this.#shut();
  }

  #shut(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#planned);
    this.#source?.close();
    this.#next?.close();
    this.#source = this.#next = null;
    this.#carried = { series: new Set(), topics: new Set() };
  }

  #visibility(): void {
    clearTimeout(this.#hidden);
    if (document.hidden) {
      this.#hidden = setTimeout(() => {
        if (!this.#source && !this.#next) return;
        this.#away();
        this.state = "idle";
      }, hiddenGrace);
    } else if (!this.#source && !this.#next && this.#listeners.size) this.#open();
  }
}

export const live = new LiveStream();
