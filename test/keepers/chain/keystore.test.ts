import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, describe, it } from "node:test";
import type { ReadStream, WriteStream } from "node:tty";
import {
  accountVariables,
  createKeystore,
  promptHidden,
  resolveAccount,
} from "../../../keepers/src/chain/account.ts";
import { decryptKeystore, encryptKeystore, parseKeystore } from "../../../keepers/src/chain/keystore.ts";

// The two vectors of the Web3 Secret Storage Definition (ethereum.org, "Test vectors").
const password = "testpassword";
const secret = "0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
const address = "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b";
const pbkdf2Vector = {
  crypto: {
    cipher: "aes-128-ctr",
    cipherparams: { iv: "6087dab2f9fdbbfaddc31a909735c1e6" },
    ciphertext: "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
    kdf: "pbkdf2",
    kdfparams: {
      c: 262144,
      dklen: 32,
      prf: "hmac-sha256",
      salt: "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
    },
    mac: "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
  },
  id: "3198bc9c-6672-5ab3-d995-4942343ae5b6",
  version: 3,
};
const scryptVector = {
  crypto: {
    cipher: "aes-128-ctr",
    cipherparams: { iv: "83dbcc02d8ccb40e466191a123791e0e" },
    ciphertext: "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
    kdf: "scrypt",
    kdfparams: {
      dklen: 32,
      n: 262144,
      p: 8,
      r: 1,
      salt: "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
    },
    mac: "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
  },
  id: "3198bc9c-6672-5ab3-d995-4942343ae5b6",
  version: 3,
};

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "assay-keystore-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

describe("keystore", () => {
  for (const [kdf, vector] of [
    ["scrypt", scryptVector],
    ["pbkdf2", pbkdf2Vector],
  ] as const) {
    it(`decrypts the published ${kdf} vector`, async () => {
      assert.equal(await decryptKeystore(parseKeystore(JSON.stringify(vector)), password), secret);
    });
  }

  it("refuses a wrong password, a changed ciphertext and a changed MAC", async () => {
    const good = await encryptKeystore(secret, password, { n: 1024 });
    await assert.rejects(decryptKeystore(good, "testpasswore"), /does not open/);
    const { crypto } = good;
    const flip = (text: string) => (text[0] === "0" ? "1" : "0") + text.slice(1);
    for (const change of [{ ciphertext: flip(crypto.ciphertext) }, { mac: flip(crypto.mac) }]) {
      await assert.rejects(
        decryptKeystore({ ...good, crypto: { ...crypto, ...change } }, password),
        /does not open/,
      );
    }
  });

  it("decrypts what it encrypts, with a fresh salt and IV each time", async () => {
    const one = await encryptKeystore(secret, "pässwörd", { n: 1024 });
    const two = await encryptKeystore(secret, "pässwörd", { n: 1024 });
    assert.equal(await decryptKeystore(parseKeystore(JSON.stringify(one)), "pässwörd"), secret);
    assert.notEqual(one.crypto.ciphertext, two.crypto.ciphertext);
    assert.equal(`0x${one.address}`, address.toLowerCase());
    assert.ok(!JSON.stringify(one).includes(secret.slice(2)));
  });

  it("refuses a keystore that says another address than its key's", async () => {
    const keystore = await encryptKeystore(secret, password, { n: 1024 });
    await assert.rejects(
      decryptKeystore({ ...keystore, address: "00".repeat(20) }, password),
      /another address/,
    );
  });

  it("refuses parameters that would take all memory or time, and anything that is no keystore", () => {
    const bad = [
      { ...scryptVector, version: 1 },
      ...[{ n: 2 ** 30 }, { n: 1000 }, { r: 2 ** 20 }, { p: 10_000 }, { salt: "zz" }, { dklen: 16 }].map(
        (change) => ({
          ...scryptVector,
          crypto: { ...scryptVector.crypto, kdfparams: { ...scryptVector.crypto.kdfparams, ...change } },
        }),
      ),
      { ...scryptVector, crypto: { ...scryptVector.crypto, cipher: "aes-128-cbc" } },
      { ...scryptVector, crypto: { ...scryptVector.crypto, ciphertext: "00" } },
      [],
      null,
    ];
    for (const value of bad) assert.throws(() => parseKeystore(JSON.stringify(value)), /keystore/);
    assert.throws(() => parseKeystore("{"), /not JSON/);
    assert.throws(() => parseKeystore(" ".repeat(20_000)), /too large/);
  });
});

describe("account", () => {
  const resolve = (env: Record<string, string>, extra: Parameters<typeof resolveAccount>[0] = {}) => {
    const secrets: string[] = [];
    const account = resolveAccount({ env, onSecret: (each) => secrets.push(each), ...extra });
    return { account, secrets };
  };

  it("comes from a key in the environment, with or without 0x, and reports the secret", async () => {
    for (const key of [secret, secret.slice(2), `${secret}\n`]) {
      const { account, secrets } = resolve({ [accountVariables.privateKey]: key });
      assert.equal((await account).address, address);
      assert.deepEqual(secrets, [key.trim()]);
    }
  });

  it("comes from a keystore, its password from the environment, a file, or a person", async () => {
    const path = write("key.json", JSON.stringify(await encryptKeystore(secret, password, { n: 1024 })));
    const file = write("password", `${password}\r\nsecond line\n`);
    const ways: [Record<string, string>, object][] = [
      [{ [accountVariables.password]: password }, {}],
      [{ [accountVariables.passwordFile]: file }, {}],
      [{}, { passwordFile: file }],
      [{}, { prompt: async () => password }],
    ];
    for (const [env, extra] of ways) {
      const { account, secrets } = resolve({ ...env, [accountVariables.keystore]: path }, extra);
      assert.equal((await account).address, address);
      assert.deepEqual(secrets, [password, secret]);
    }
  });

  it("prefers a keystore that was named to a key in the environment", async () => {
    const keystore = join(folder, "named.json");
    const created = await createKeystore(keystore, password, { n: 1024 });
    const env = { [accountVariables.privateKey]: secret, [accountVariables.password]: password };
    assert.equal((await resolve(env, { keystore }).account).address, created.address);
  });

  it("says what to set when there is none, and never repeats a bad key", async () => {
    await assert.rejects(resolve({}).account, /no account is configured/);
    const bad = `${secret.slice(0, -1)}g`;
    await assert.rejects(resolve({ [accountVariables.privateKey]: bad }).account, (error: Error) => {
      assert.match(error.message, /is not a private key/);
      assert.ok(!JSON.stringify([error.message, error.stack, error.cause]).includes(bad.slice(10, 60)));
      return true;
    });
  });

  it("writes a new keystore for its owner's eyes only and never overwrites one", async () => {
    const path = join(folder, "deep", "new.json");
    const account = await createKeystore(path, password, { n: 1024 });
    const stored = await decryptKeystore(parseKeystore(readFileSync(path, "utf8")), password);
    assert.equal((await resolve({ [accountVariables.privateKey]: stored }).account).address, account.address);
    if (process.platform !== "win32") assert.equal(statSync(path).mode & 0o777, 0o600);
    await assert.rejects(createKeystore(path, password, { n: 1024 }), /already/);
  });

  it("asks at a terminal without showing what is typed, and stops at Ctrl-C", async () => {
    const terminal = () => {
      const input = Object.assign(new PassThrough(), {
        setRawMode(mode: boolean) {
          modes.push(mode);
        },
      });
      const output = new PassThrough();
      const modes: boolean[] = [];
      return { input, output, modes };
    };
    const ask = ({ input, output }: ReturnType<typeof terminal>) =>
      promptHidden("Password: ", input as unknown as ReadStream, output as unknown as WriteStream);

    const first = terminal();
    const typed = ask(first);
    first.input.write("hunx\u007fter2");
    first.input.write("\r");
    assert.equal(await typed, "hunter2");
    assert.equal(String(first.output.read()), "Password: \n");
    assert.deepEqual(first.modes, [true, false]);

    const second = terminal();
    const stopped = ask(second);
    second.input.write("hun\u0003");
    await assert.rejects(stopped, /no password/);
    assert.deepEqual(second.modes, [true, false]);
  });
});
