/** Characters that move a cursor, turn what follows around, or cannot be seen; also those that nobody has agreed on. */
const unprintable = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Text of strangers, fit for a terminal: what cannot be seen, or would be obeyed, is written as its code point, as in `\u{1b}`.
 * @param kept characters that stay as they are; none by default
 */
export function printable(text: string, kept = ""): string {
  return text.replaceAll(unprintable, (character) =>
    kept.includes(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** JSON in which such characters, which a terminal would obey, are escaped: it says the same to whoever parses it. */
export function printableJson(json: string): string {
  return json.replaceAll(unprintable, (character) =>
    // Each half of a pair is escaped by itself, as JSON has it.
    Array.from({ length: character.length }, (_, i) => {
      return `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
    }).join(""),
  );
}
