import { t, texting, word, type Key } from "../lib/i18n.svelte";
import { reason } from "./reasons";

/** A reason in the chosen language; one that no form is known of as the platform says it. */
export function why(text: string, name: string): string {
  if (texting.language === "en") return text;
  const found = reason(text);
  if (!found) return text;
  const kind = found.parameters.kind;
  return t(found.key as Key, {
    ...found.parameters,
    ...(kind ? { kind: word("dictionary.reasonkind", kind) } : {}),
    name,
  });
}
