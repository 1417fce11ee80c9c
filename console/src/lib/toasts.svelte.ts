import { ApiError } from "./api";

export interface Toast {
  id: number;
  tone: "good" | "bad" | "info";
  message: string;
  code?: string;
  place?: string;
  hint?: string;
}

class Toasts {
  items = $state<Toast[]>([]);
  #serial = 0;

  show(toast: Omit<Toast, "id">, seconds = toast.tone === "bad" ? 12 : 4): void {
    const id = ++this.#serial;
    const same = this.items.findIndex((item) => item.message === toast.message && item.code === toast.code);
    if (same >= 0) this.items.splice(same, 1);
    this.items.push({ ...toast, id });
    if (this.items.length > 4) this.items.shift();
    setTimeout(() => this.close(id), seconds * 1000);
  }

  close(id: number): void {
    this.items = this.items.filter((item) => item.id !== id);
  }

  good(message: string): void {
    this.show({ tone: "good", message });
  }

  /** Shows why something failed; a request that was given up and a login that ended say it elsewhere. */
  failed(error: unknown): void {
    if (error instanceof DOMException && error.name === "AbortError") return;
    if (error instanceof ApiError) {
      if (error.status === 401) return;
      this.show({ tone: "bad", message: error.message, code: error.code, place: error.place, hint: error.hint });
    } else {
      console.error(error);
      this.show({ tone: "bad", message: error instanceof Error ? error.message : String(error) });
    }
  }
}

export const toasts = new Toasts();
