import { hkdfSync } from "node:crypto";
import {
  type Address,
  bytesToHex,
  concat,
  type Hex,
  hexToBytes,
  keccak256,
  type LocalAccount,
  numberToHex,
  size,
  stringToHex,
} from "viem";
import { AssayError, exitCode } from "../core/errors.ts";

/** What secrets are for. No two purposes give the same secret. */
export type SecretPurpose =
  /** What a member of the beacon commits to, by session and round, and when its window ends. */
  | "beacon secret"
  /** The nonce of a bid, by its order. */
  | "bid nonce"
  /** The salt that seals a bid, by all that the bid says. */
  | "bid salt"
  /** The secret behind the salts of a run's trace, by job and training. */
  | "trace secret"
  /** A validator's BLS key. */
  | "bls key";

/** Says what it is for, so that nobody signs it by mistake; nothing else of Assay signs this type. */
const types = { Secrets: [{ name: "purpose", type: "string" }] } as const;
const message = {
  purpose:
    "The root of this operator's secrets. Whoever has this signature can open its sealed bids and reveals.",
} as const;

/**
 * Secrets that an operator needs again after its disk is lost: derived from its key and from what the chain knows, so that
 * neither has to be stored. The root is the key's deterministic signature (RFC 6979) on a message of its own; it never
 * leaves this object. Others can tell the secrets from random bytes no better than they can forge that signature.
 */
export class OperatorSecrets {
  readonly #root: Uint8Array;
  readonly #chainId: number;

  private constructor(root: Uint8Array, chainId: number) {
    this.#root = root;
    this.#chainId = chainId;
  }

  /** @throws AssayError for an account whose signatures differ each time, of which nothing could be rebuilt */
  static async open(account: Pick<LocalAccount, "signTypedData">, chainId: number): Promise<OperatorSecrets> {
    const domain = { name: "Assay operator secrets", version: "1", chainId } as const;
    const sign = () => account.signTypedData({ domain, types, primaryType: "Secrets", message });
    const [root, again] = [await sign(), await sign()];
    if (root !== again) {
      throw new AssayError("the account signs the same message differently each time", {
        exitCode: exitCode.configuration,
        next: "use a keystore: secrets that are derived from such signatures could not be rebuilt",
      });
    }
    return new OperatorSecrets(hexToBytes(root), chainId);
  }

  /**
   * 32 bytes (HKDF-SHA256), the same whenever they are asked for.
   *
   * @param contract that the secret is shown to in the end
   * @param parts what tells this secret from others of its purpose; each is bound with its length
   */
  derive(purpose: SecretPurpose, contract: Address, ...parts: readonly (Hex | bigint)[]): Hex {
    const fields = [
      stringToHex(purpose),
      numberToHex(this.#chainId),
      contract.toLowerCase() as Hex,
      ...parts,
    ];
    const bound = fields.map((part) => {
      const bytes = typeof part === "bigint" ? numberToHex(part, { size: 32 }) : part;
      return concat([numberToHex(size(bytes), { size: 4 }), bytes]);
    });
    // HKDF takes at most 1,024 bytes of information: their hash binds them as well.
    const info = hexToBytes(keccak256(concat(bound)));
    return bytesToHex(new Uint8Array(hkdfSync("sha256", this.#root, "assay/operator-secrets/v1", info, 32)));
  }
}
