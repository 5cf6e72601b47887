import { type Hex, hexToBytes, keccak256 } from "viem";

/**
 * Whether a block's log bloom (Yellow Paper, section 4.3.1) says that it may hold a log of the contract: never wrong
 * when it says no. Chains that do not fill the bloom in (zkSync) give undefined.
 */
export function mayHoldLogOf(bloom: Hex | null, address: Hex): boolean | undefined {
  if (bloom === null || bloom.length !== 514 || /^0x0*$/.test(bloom)) return undefined;
  const bits = hexToBytes(bloom);
  const hash = hexToBytes(keccak256(address));
  return [0, 2, 4].every((i) => {
    const bit = ((hash[i]! << 8) | hash[i + 1]!) & 2047;
    return ((bits[255 - (bit >> 3)]! >> (bit & 7)) & 1) === 1;
  });
}
