/** Controls, and characters that turn the direction of text around: what is shown would not be what is there. */
const deceiving = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/gu;

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text from anywhere as text of an HTML document: nothing in it is markup, and nothing hides. */
export function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(deceiving, "\ufffd")
    .replace(/[&<>"']/g, (character) => entities[character]!);
}

/** At most so many characters. */
export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element; `inner` is markup already. */
export function element(name: string, attributes: Attributes, inner = ""): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escaped(typeof value === "number" ? number(value) : value!)}"`)
    .join("");
  return inner === "" ? `<${name}${written}/>` : `<${name}${written}>${inner}</${name}>`;
}

export type TextOptions = { readonly class?: string; readonly anchor?: "start" | "middle" | "end" };

export function text(x: number, y: number, content: string, options: TextOptions = {}): string {
  return element("text", { x, y, class: options.class, "text-anchor": options.anchor }, escaped(content));
}

/** A picture as an element of a document, named for those who do not see it. */
export function drawing(
  { title, description }: { readonly title: string; readonly description: string },
  width: number,
  height: number,
  inner: readonly string[],
): string {
  const named = [`<title>${escaped(title)}</title>`, `<desc>${escaped(description)}</desc>`];
  const attributes = { viewBox: `0 0 ${number(width)} ${number(height)}`, role: "img", width: number(width) };
  return element("svg", attributes, [...named, ...inner].join("\n"));
}

function number(value: number): string {
  return String(Number(value.toFixed(2)));
}
