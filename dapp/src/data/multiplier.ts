/** What a provider's stake is multiplied by, in words, from hundredths: "1.5 times the usual". */
export function timesUsual(hundredths: bigint): string {
  return hundredths === 100n ? "the usual" : `${Number(hundredths) / 100} times the usual`;
}
