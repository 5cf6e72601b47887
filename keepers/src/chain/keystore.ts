import {
  createCipheriv,
  createDecipheriv,
  pbkdf2 as pbkdf2Callback,
  randomBytes,
  randomUUID,
  scrypt as scryptCallback,
  timingSafeEqual,
} from "node:crypto";
import { promisify } from "node:util";
import { scryptAsync } from "@noble/hashes/scrypt.js";
import { type Address, bytesToHex, type Hex, hexToBytes, keccak256 } from "viem";
import { privateKeyToAddress } from "viem/accounts";
import { z } from "zod";
import { AssayError, BadInputError, exitCode } from "../core/errors.ts";

const scrypt = promisify<string, Uint8Array, number, object, Buffer>(scryptCallback);
const pbkdf2 = promisify(pbkdf2Callback);

/** A private key encrypted as Web3 Secret Storage version 3, as geth and Foundry write it. */
export type Keystore = z.infer<typeof keystoreSchema>;

/** Bounds on a file from outside: a crafted one must not take all memory or time (2^20·8·128 bytes are 1 GiB). */
const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^(0x)?[0-9a-fA-F]{${2 * bytes}}$`), `not ${bytes} bytes of hex`);
const salt = z.string().regex(/^(0x)?([0-9a-fA-F]{2}){8,64}$/, "not a salt");
const scryptParameters = z
  .object({
    dklen: z.literal(32),
    n: z
      .int()
      .min(2)
      .max(2 ** 20),
    r: z.int().min(1).max(32),
    p: z.int().min(1).max(16),
    salt,
  })
  .refine(({ n, r }) => n * r <= 2 ** 23 && (n & (n - 1)) === 0, "scrypt parameters out of bounds");
const pbkdf2Parameters = z.object({
  dklen: z.literal(32),
  c: z.int().min(1).max(10_000_000),
  prf: z.literal("hmac-sha256"),
  salt,
});
const common = {
  cipher: z.literal("aes-128-ctr"),
  cipherparams: z.object({ iv: hex(16) }),
  ciphertext: hex(32),
  mac: hex(32),
};
const keystoreSchema = z.object({
  version: z.literal(3),
  id: z.string().max(64).optional(),
  address: z
    .string()
    .regex(/^(0x)?[0-9a-fA-F]{40}$/)
    .optional(),
  crypto: z.discriminatedUnion("kdf", [
    z.object({ ...common, kdf: z.literal("scrypt"), kdfparams: scryptParameters }),
    z.object({ ...common, kdf: z.literal("pbkdf2"), kdfparams: pbkdf2Parameters }),
  ]),
});

const bytes = (text: string) => hexToBytes(text.startsWith("0x") ? (text as Hex) : `0x${text}`);
const plain = (value: Uint8Array) => bytesToHex(value).slice(2);

/** Checks the text of a keystore file; old files write `Crypto` with a capital. */
export function parseKeystore(text: string): Keystore {
  if (text.length > 16_384) throw new BadInputError("the keystore is too large");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BadInputError("the keystore is not JSON", { cause });
  }
  if (typeof value === "object" && value !== null && "Crypto" in value && !("crypto" in value)) {
    value = { ...value, crypto: value.Crypto };
  }
  const parsed = keystoreSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new BadInputError(`not a version 3 keystore: ${issue?.path.join(".")}: ${issue?.message}`, {
    next: "use a file that geth, Foundry (`cast wallet import`) or `assay keeper key` wrote",
  });
}

async function deriveKey(crypto: Keystore["crypto"], password: string): Promise<Uint8Array> {
  if (crypto.kdf === "pbkdf2") {
    const { c, salt, dklen } = crypto.kdfparams;
    return pbkdf2(password, bytes(salt), c, dklen, "sha256");
  }
  const { n, r, p, salt, dklen } = crypto.kdfparams;
  // RFC 7914 wants n < 2^(16·r) and OpenSSL insists; the published vector and some wallets do not.
  if (n >= 2 ** (16 * r)) return scryptAsync(password, bytes(salt), { N: n, r, p, dkLen: dklen });
  return scrypt(password, bytes(salt), dklen, { N: n, r, p, maxmem: 129 * n * r + 1024 * r * p + 1_048_576 });
}

const macOf = (key: Uint8Array, ciphertext: Uint8Array) =>
  hexToBytes(keccak256(Buffer.concat([key.subarray(16, 32), ciphertext])));

/** The private key in a keystore; throws when the password is wrong. */
export async function decryptKeystore({ crypto, address }: Keystore, password: string): Promise<Hex> {
  const key = await deriveKey(crypto, password);
  const ciphertext = bytes(crypto.ciphertext);
  if (!timingSafeEqual(macOf(key, ciphertext), bytes(crypto.mac))) {
    throw new AssayError("the password does not open the keystore", {
      kept: "the keystore is unchanged",
      next: "try another password",
      exitCode: exitCode.configuration,
    });
  }
  const cipher = createDecipheriv("aes-128-ctr", key.subarray(0, 16), bytes(crypto.cipherparams.iv));
  const secret = bytesToHex(Buffer.concat([cipher.update(ciphertext), cipher.final()]));
  const expected = address?.replace(/^0x/, "").toLowerCase();
  if (expected !== undefined && privateKeyToAddress(secret).slice(2).toLowerCase() !== expected) {
    throw new BadInputError("the keystore holds the key of another address than it says");
  }
  return secret;
}

export type EncryptKeystoreOptions = {
  /** scrypt's cost: a power of two; 2^18 by default, geth's standard (about a second and 256 MB). */
  n?: number;
};

/** Encrypts a private key so that geth and Foundry can read it. */
export async function encryptKeystore(
  privateKey: Hex,
  password: string,
  { n = 2 ** 18 }: EncryptKeystoreOptions = {},
): Promise<Keystore & { address: string; id: string }> {
  const kdfparams = { dklen: 32 as const, n, r: 8, p: 1, salt: plain(randomBytes(32)) };
  const iv = randomBytes(16);
  const partial = { kdf: "scrypt" as const, kdfparams };
  const key = await deriveKey(
    { ...partial, ciphertext: "", mac: "", cipher: "aes-128-ctr", cipherparams: { iv: "" } },
    password,
  );
  const cipher = createCipheriv("aes-128-ctr", key.subarray(0, 16), iv);
  const ciphertext = Buffer.concat([cipher.update(hexToBytes(privateKey)), cipher.final()]);
  const address: Address = privateKeyToAddress(privateKey);
  return {
    version: 3,
    id: randomUUID(),
    address: address.slice(2).toLowerCase(),
    crypto: {
      ...partial,
      cipher: "aes-128-ctr",
      cipherparams: { iv: plain(iv) },
      ciphertext: plain(ciphertext),
      mac: plain(macOf(key, ciphertext)),
    },
  };
}
