/** Something fetched: its last good value, what went wrong since, and whether a first answer is awaited. */
export class Resource<T> {
  value = $state.raw<T | null>(null);
  error = $state.raw<unknown>(null);
  busy = $state(false);
  #fetch: (signal: AbortSignal) => Promise<T>;
  #abort: AbortController | null = null;

  constructor(fetch: (signal: AbortSignal) => Promise<T>) {
    this.#fetch = fetch;
  }

  /** Fetches; an older fetch under way is given up. */
  load = async (): Promise<void> => {
    this.#abort?.abort();
    const abort = (this.#abort = new AbortController());
    this.busy = true;
    try {
      const value = await this.#fetch(abort.signal);
      if (abort.signal.aborted) return;
      this.value = value;
      this.error = null;
    } catch (error) {
      if (!abort.signal.aborted) this.error = error;
    } finally {
      if (this.#abort === abort) this.busy = false;
    }
  };

  /** Fetches now and every `seconds` while the page is visible; returns what ends it. */
  every(seconds: number): () => void {
    void this.load();
    const timer = setInterval(() => {
      if (!document.hidden && !this.busy) void this.load();
    }, seconds * 1000);
    return () => {
      clearInterval(timer);
      this.#abort?.abort();
    };
  }
}
