import type { Key } from "../lib/i18n.svelte";
import type { Reader, Scanned } from "./reader";

/** Milliseconds between two looks at the picture: quick for a hand, and a phone stays cool. */
const pause = 120;

/** The camera, from when a person starts it until a code is seen or it is stopped. */
export class Camera {
  running = $state(false);
  trouble = $state<Key | "">("");
  #stream: MediaStream | null = null;
  #turn = 0;

  constructor(
    readonly reader: Reader,
    readonly seen: (scanned: Scanned) => void,
  ) {}

  async start(video: HTMLVideoElement): Promise<void> {
    this.stop();
    const turn = ++this.#turn;
    this.trouble = "";
    if (!navigator.mediaDevices?.getUserMedia) {
      this.trouble = "identifiers.scan.insecure";
      return;
    }
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } },
      });
      if (turn !== this.#turn) {
        for (const track of stream.getTracks()) track.stop();
        return;
      }
      this.#stream = stream;
      this.running = true;
      video.srcObject = stream;
      await video.play();
    } catch (error) {
      this.stop();
      const name = error instanceof DOMException ? error.name : "";
      this.trouble =
        name === "NotAllowedError"
          ? "identifiers.scan.denied"
          : name === "NotFoundError"
            ? "identifiers.scan.nocamera"
            : "identifiers.scan.nostart";
      return;
    }
    await this.#watch(video, turn);
  }

  stop(): void {
    this.#turn++;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.running = false;
  }

  async #watch(video: HTMLVideoElement, turn: number): Promise<void> {
    while (turn === this.#turn) {
      if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
        try {
          const [first] = await this.reader.read(video);
          if (first && turn === this.#turn) {
            this.stop();
            this.seen(first);
            return;
          }
        } catch {
          if (turn === this.#turn) {
            this.stop();
            this.trouble = "identifiers.scan.noreader";
          }
          return;
        }
      }
      await new Promise((done) => setTimeout(done, pause));
    }
  }
}
