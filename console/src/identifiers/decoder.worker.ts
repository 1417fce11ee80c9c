/** Reads barcodes beside the page. WebAssembly is allowed to this worker alone: see the policies of the API. */
import { prepareZXingModule, readBarcodes } from "zxing-wasm/reader";
import wasm from "zxing-wasm/reader/zxing_reader.wasm?url";

export interface Question {
  id: number;
  image: ImageData;
}

export interface Answer {
  id: number;
  found: { text: string; format: string }[];
  error: string;
}

prepareZXingModule({ overrides: { locateFile: () => wasm } });

onmessage = async ({ data }: MessageEvent<Question>) => {
  const answer: Answer = { id: data.id, found: [], error: "" };
  try {
    const results = await readBarcodes(data.image, { tryHarder: true, textMode: "Plain", maxNumberOfSymbols: 16 });
    answer.found = results
      .filter((one) => one.isValid)
      // The symbology in front says whether FNC1 began it: GS1 data are told from other text by that alone.
      .map((one) => ({ text: one.symbologyIdentifier + one.text, format: String(one.format) }));
  } catch (error) {
    answer.error = error instanceof Error ? error.message : String(error);
  }
  postMessage(answer);
};
