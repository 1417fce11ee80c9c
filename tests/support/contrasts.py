"""How well words stand out, computed in the browser that shows them."""

CONTRAST = """() => {
  const style = getComputedStyle(document.documentElement);
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (name) => {
    probe.fillStyle = style.getPropertyValue(name).trim();
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...probe.getImageData(0, 0, 1, 1).data].map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const pairs = [];
  for (const ink of ["--ink", "--ink-2", "--ink-3", "--accent-text", "--bad"]) {
    for (const ground of ["--ground", "--surface", "--raised"]) pairs.push([ink, ground]);
  }
  pairs.push(["--accent-ink", "--accent"], ["--accent-text", "--accent-soft"]);
  pairs.push(["--ink-2", "--calm-soft"], ["--ink-2", "--warn-soft"]);
  return pairs.map(([ink, ground]) => {
    const [a, b] = [light(ink), light(ground)];
    return [ink, ground, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  }).filter(([, , ratio]) => ratio < 4.5);
}"""
