// The three texts that stand out least from what is behind them (WCAG 2.2 contrast), and how many texts there are.
() => {
  const channels = (colour) => (colour.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const luminance = (c) => 0.2126 * linear(c[0] / 255) + 0.7152 * linear(c[1] / 255) + 0.0722 * linear(c[2] / 255);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const c = channels(getComputedStyle(node).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const words = walker.currentNode.data.trim();
    const node = walker.currentNode.parentElement;
    if (!words || ["STYLE", "title", "desc"].includes(node.tagName) || !node.getClientRects().length) continue;
    const drawn = node.closest("svg");
    const style = getComputedStyle(node);
    const text = luminance(channels(drawn ? style.fill : style.color));
    const behind = luminance(ground(drawn ? drawn.parentElement : node));
    found.push([(Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05), words.slice(0, 40)]);
  }
  return [...found.sort((a, b) => a[0] - b[0]).slice(0, 3), [found.length, "texts"]];
};
