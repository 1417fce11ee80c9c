import type { JsonSchema } from "../lib/types";

/** What `part` of `schema` stands for: without its reference, and of several types the first that is not null. */
function resolve(schema: JsonSchema, part: JsonSchema | undefined): JsonSchema {
  if (!part) return {};
  if (part.$ref) {
    const name = part.$ref.split("/").at(-1)!;
    return {
      ...resolve(schema, schema.$defs?.[name]),
      ...Object.fromEntries(Object.entries(part).filter(([key]) => key !== "$ref")),
    };
  }
  if (part.anyOf) {
    const plain = part.anyOf.map((one) => resolve(schema, one)).find((one) => one.type !== "null");
    if (plain) return { ...plain, ...Object.fromEntries(Object.entries(part).filter(([key]) => key !== "anyOf")) };
  }
  return part;
}

/** The settings that a protocol has, in the order of its schema. */
export const fieldsOf = (schema: JsonSchema): { name: string; part: JsonSchema }[] =>
  Object.entries(resolve(schema, schema).properties ?? {}).map(([name, part]) => ({
    name,
    part: resolve(schema, part),
  }));
