import { Lines } from "./gun";

interface Port {
  readable: ReadableStream<Uint8Array> | null;
  open(options: { baudRate: number }): Promise<void>;
  close(): Promise<void>;
}
interface Ports {
  requestPort(): Promise<Port>;
}

/** What most guns are set to when they leave the factory. */
const baudRate = 9600;

/** A scan gun on a serial port, where the browser has Web Serial. Each line that it sends is a code. */
export class SerialGun {
  readonly offered = "serial" in navigator;
  open = $state(false);
  trouble = $state("");
  #port: Port | null = null;
  #reading: ReadableStreamDefaultReader<string> | null = null;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(readonly took: (text: string) => void) {}

  async connect(): Promise<void> {
    this.trouble = "";
    try {
      const port = await (navigator as unknown as { serial: Ports }).serial.requestPort();
      await port.open({ baudRate });
      this.#port = port;
      this.open = true;
      this.#ended = this.#listen(port);
    } catch (error) {
      // Who chooses no port has changed their mind.
      if (!(error instanceof DOMException && error.name === "NotFoundError"))
        this.trouble = error instanceof Error ? error.message : String(error);
    }
  }

  async close(): Promise<void> {
    this.open = false;
    try {
      await this.#reading?.cancel();
      await this.#ended;
      await this.#port?.close();
    } catch {
      // A port that was pulled out is closed already.
    }
    this.#port = null;
  }

  async #listen(port: Port): Promise<void> {
    const lines = new Lines();
    const decoder = new TextDecoderStream();
    const piped = port.readable?.pipeTo(decoder.writable as WritableStream<Uint8Array>).catch(() => undefined);
    const reading = (this.#reading = decoder.readable.getReader());
    try {
      for (;;) {
        const { value, done } = await reading.read();
        if (done) break;
        for (const line of lines.feed(value)) this.took(line);
      }
    } catch (error) {
      if (this.open) this.trouble = error instanceof Error ? error.message : String(error);
    } finally {
      this.open = false;
      reading.releaseLock();
      await piped;
    }
  }
}
