import { type Address, encodeFunctionData, type Hex, isAddressEqual, parseAbi, recoverAddress } from "viem";
import type { ReadClient } from "./contracts.ts";
import { explainRevert } from "./revert.ts";

const walletAbi = parseAbi([
  "function isValidSignature(bytes32 hash, bytes signature) view returns (bytes4 magicValue)",
]);
/** What a wallet answers when it stands by a signature (ERC-1271): its selector, as a word. */
const magicWord = `0x1626ba7e${"0".repeat(56)}`;
/** Half the order of secp256k1: of a signature and its mirror image only the lower one counts (EIP-2). */
const mostS = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;

/** Whether an account's own key made a signature, in the form that the contracts take. */
export async function isSignedByKey(author: Address, digest: Hex, signature: Hex): Promise<boolean> {
  const signer = await signerOf(digest, signature);
  return signer !== undefined && isAddressEqual(signer, author);
}

/**
 * Whether the contracts would take a signature for its author's: what OpenZeppelin's SignatureChecker does, for accounts
 * with a key and for wallets that are contracts.
 *
 * @param blockNumber block as of which a wallet is asked; the newest when it is left out
 * @throws what the endpoint throws
 */
export async function isSignedBy(
  client: ReadClient,
  author: Address,
  digest: Hex,
  signature: Hex,
  blockNumber?: bigint,
): Promise<boolean> {
  const then = blockNumber === undefined ? {} : { blockNumber };
  const code = await client.getCode({ address: author, ...then });
  if (code === undefined || code === "0x") return isSignedByKey(author, digest, signature);
  const data = encodeFunctionData({
    abi: walletAbi,
    functionName: "isValidSignature",
    args: [digest, signature],
  });
  try {
    const answer = await client.call({ to: author, data, ...then });
    return answer.data?.slice(0, 66) === magicWord;
  } catch (error) {
    if (explainRevert(error) === undefined) throw error;
    return false;
  }
}

async function signerOf(hash: Hex, signature: Hex): Promise<Address | undefined> {
  const isLow = signature.length === 132 && BigInt(`0x${signature.slice(66, 130)}`) <= mostS;
  if (!isLow || !/(1b|1c)$/i.test(signature)) return undefined;
  return await recoverAddress({ hash, signature }).catch(() => undefined);
}
