/** Barcodes in pictures: by the browser's own detector where it reads all that labels hold, else by zxing in a worker. */
import type { Answer, Question } from "./decoder.worker";

export interface Scanned {
  text: string;
  format: string;
}

type Picture = HTMLVideoElement | ImageBitmap;

interface Detector {
  detect(source: Picture): Promise<{ rawValue: string; format: string }[]>;
}
interface DetectorClass {
  new (options: { formats: string[] }): Detector;
  getSupportedFormats(): Promise<string[]>;
}

const wanted = ["qr_code", "data_matrix", "code_128", "ean_13", "ean_8", "upc_a"];
/** The longest side of what is looked at: a larger picture is made smaller first. */
const widest = 2400;

export class Reader {
  #detector: Promise<Detector | null> | null = null;
  #worker: Worker | null = null;
  #waiting = new Map<number, { done: (found: Scanned[]) => void; failed: (error: Error) => void }>();
  #serial = 0;
  #canvas: HTMLCanvasElement | null = null;

  /** Every symbol in `picture`. Throws where it cannot be looked at. */
  async read(picture: Picture): Promise<Scanned[]> {
    const detector = await (this.#detector ??= own());
    if (detector) {
      const found = await detector.detect(picture);
      return found.map((one) => ({ text: one.rawValue, format: one.format }));
    }
    const image = this.#pixels(picture);
    return image ? this.#asked(image) : [];
  }

  /** Ends the worker; what waits for it fails. */
  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
    for (const one of this.#waiting.values()) one.failed(new Error("closed"));
    this.#waiting.clear();
  }

  #pixels(picture: Picture): ImageData | null {
    const [wide, high] =
      picture instanceof ImageBitmap ? [picture.width, picture.height] : [picture.videoWidth, picture.videoHeight];
    if (!wide || !high) return null;
    const scale = Math.min(1, widest / Math.max(wide, high));
    const canvas = (this.#canvas ??= document.createElement("canvas"));
    canvas.width = Math.max(1, Math.round(wide * scale));
    canvas.height = Math.max(1, Math.round(high * scale));
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (!context) return null;
    // A picture without ground, such as a label as PNG, stands on white.
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  }

  #asked(image: ImageData): Promise<Scanned[]> {
    const worker = (this.#worker ??= this.#start());
    const id = ++this.#serial;
    const question: Question = { id, image };
    return new Promise((done, failed) => {
      this.#waiting.set(id, { done, failed });
      worker.postMessage(question, [image.data.buffer]);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./decoder.worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error) waiting?.failed(new Error(data.error));
      else waiting?.done(data.found);
    };
    worker.onerror = (event) => {
      for (const one of this.#waiting.values()) one.failed(new Error(event.message || "the reader cannot be loaded"));
      this.#waiting.clear();
    };
    return worker;
  }
}

async function own(): Promise<Detector | null> {
  const found = (globalThis as { BarcodeDetector?: DetectorClass }).BarcodeDetector;
  if (!found) return null;
  try {
    const formats = await found.getSupportedFormats();
    return wanted.every((one) => formats.includes(one)) ? new found({ formats: wanted }) : null;
  } catch {
    return null;
  }
}
