import { exactly, inDigits } from "./amounts.ts";

/** What gas costs in the chain's coin, rounded up: by its first digits, however little it is. */
export function Cost({ wei }: { wei: bigint }) {
  return <span title={`${exactly(wei)} ETH`}>{inDigits(wei)} ETH</span>;
}
