/** Arguments of events as text: like JSON, with whole numbers beyond those of JSON as "123n". Bytes are hexadecimal. */

const wholeNumber = /^-?\d+n$/;

export function writeArguments(value: unknown): string {
  return JSON.stringify(value, (_, each) => (typeof each === "bigint" ? `${each}n` : each));
}

export function readArguments<T>(text: string): T {
  return JSON.parse(text, (_, each) =>
    typeof each === "string" && wholeNumber.test(each) ? BigInt(each.slice(0, -1)) : each,
  ) as T;
}
