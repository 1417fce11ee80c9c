/** One colour a series, apart from each other for most kinds of sight, on dark and on light. */
const onLight = ["#2f5bd7", "#c2410c", "#0f766e", "#a21caf", "#a16207", "#be123c", "#0369a1", "#4d7c0f"];
const onDark = ["#7ea2ff", "#ff9d5c", "#4fd1c0", "#e58bf5", "#f2c94c", "#ff8fa3", "#5cc8ff", "#a8d65c"];

export function colour(index: number, dark: boolean): string {
  const palette = dark ? onDark : onLight;
  return palette[index % palette.length]!;
}
