import { InvalidArgumentError, Option } from "commander";
import { type Address, getAddress, isAddress, parseUnits } from "viem";

/** Parses a natural number in a range, for commander. */
export function natural(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${low} to ${high}.`);
  };
}

/** Parses numbers of bits with commas between into a mask, for regions and regulations. */
export function bits(text: string): bigint {
  const number = natural(0, 63);
  return text.split(",").reduce((mask, each) => mask | (1n << BigInt(number(each.trim()))), 0n);
}

/** Parses a privacy tier. */
export const tier = natural(0, 255);

/** Parses a part of a whole, from 0 to 1. */
export function share(text: string): number {
  const value = Number(text);
  if (/^\d(\.\d{1,9})?$/.test(text) && value <= 1) return value;
  throw new InvalidArgumentError("It must be a number from 0 to 1.");
}

/** Parses an amount of tokens with up to 18 decimals into base units. */
export function tokens(text: string): bigint {
  if (/^\d{1,27}(\.\d{1,18})?$/.test(text)) return parseUnits(text, 18);
  throw new InvalidArgumentError("It must be an amount of tokens, with up to 18 decimals.");
}

/** Parses an amount of the chain's coin with up to 18 decimals into wei. */
export function coins(text: string): bigint {
  if (/^\d{1,27}(\.\d{1,18})?$/.test(text)) return parseUnits(text, 18);
  throw new InvalidArgumentError("It must be an amount of the chain's coin, with up to 18 decimals.");
}

/** Most coins that go with challenges on chain: a hundred cells at the bond of public networks. */
export function challengeBonds(whose: string): Option {
  return new Option(
    "--max-challenge-bonds <coins>",
    `most of the chain's coin that goes as bonds with cells asked for on chain, ${whose}; 0 asks for none`,
  )
    .argParser(coins)
    .default(10n ** 17n, "0.1");
}

/** Parses an account's address. */
export function address(text: string): Address {
  if (isAddress(text)) return getAddress(text);
  throw new InvalidArgumentError("It must be an address: 0x and 40 hexadecimal digits.");
}

/** Parses one of a few words. */
export function oneOf<T extends string>(...words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((each) => each === text);
    if (word !== undefined) return word;
    throw new InvalidArgumentError(`It must be one of ${words.join(", ")}.`);
  };
}

/** Parses a space in GiB into bytes. */
export function gibibytes(text: string): number {
  const bytes = Number(text) * 2 ** 30;
  if (/^\d+(\.\d+)?$/.test(text) && bytes >= 1 && Number.isSafeInteger(Math.floor(bytes)))
    return Math.floor(bytes);
  throw new InvalidArgumentError("It must be a positive number of GiB.");
}
