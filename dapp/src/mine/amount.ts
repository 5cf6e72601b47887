import { parseUnits } from "viem";

/** Commas between thousands, as the page itself writes them; anywhere else a comma may be meant as a decimal point. */
const grouped = /^[1-9]\d{0,2}(,\d{3})+(\.\d+)?$/;

/** Tokens that somebody typed, in base units; or what is wrong with them. */
export function readAmount(text: string, most?: bigint): { units: bigint } | { problem: string } {
  const trimmed = text.trim();
  if (trimmed.includes(",") && !grouped.test(trimmed))
    return { problem: "Fractions after a point, as in 0.5; commas only between thousands, as in 1,234" };
  const plain = trimmed.replaceAll(",", "");
  if (!/^\d{1,30}(\.\d{1,18})?$/.test(plain)) return { problem: "An amount of tokens, as in 100 or 0.5" };
  const units = parseUnits(plain, 18);
  if (units === 0n) return { problem: "More than nothing" };
  if (most !== undefined && units > most) return { problem: "More than there is" };
  return { units };
}
