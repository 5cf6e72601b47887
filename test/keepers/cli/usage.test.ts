import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts";
import { Interrupted } from "../../../keepers/src/cli/interrupted.ts";
import { assay, type RunOptions } from "./terminal.ts";

const cwd = await mkdtemp(join(tmpdir(), "assay-cli-"));
after(() => rm(cwd, { recursive: true, force: true }));
const at = (changes: Partial<RunOptions> = {}): RunOptions => ({ cwd, ...changes });
const id = `0x${"ab".repeat(32)}`;

/** All commands, found by asking each for its help. */
async function commands(path: string[] = []): Promise<string[][]> {
  const { out } = await assay([...path, "--help"], at());
  const section = out.split(/^Commands:\n/m)[1]?.split(/\n\n/)[0] ?? "";
  const names = [...section.matchAll(/^ {2}(\w+)/gm)]
    .map(([, name]) => name!)
    .filter((name) => name !== "help");
  if (names.length === 0) return [path];
  return (await Promise.all(names.map((name) => commands([...path, name])))).flat();
}

describe("assay", () => {
  it("explains every command with an example", async () => {
    const all = await commands();
    assert.deepEqual(all.map((path) => path.join(" ")).sort(), [
      "account import",
      "account list",
      "account new",
      "account show",
      "audit certificate",
      "audit dataset",
      "audit job",
      "audit operator",
      "certificate show",
      "certificate verify",
      "challenge",
      "challenger run",
      "data challenge",
      "data download",
      "data get",
      "data health",
      "data list",
      "data object",
      "data put",
      "data repair",
      "data verify",
      "deploy",
      "dev",
      "janitor run",
      "job evaluate",
      "job fetch",
      "job list",
      "job show",
      "job watch",
      "keeper backup",
      "keeper restore",
      "order accept",
      "order bids",
      "order cancel",
      "order create",
      "order sign",
      "provider bid",
      "provider run",
      "replay",
      "simulate",
      "stake add",
      "stake approve",
      "stake register",
      "stake retire",
      "stake status",
      "stake unbond",
      "stake withdraw",
      "subgraph query",
      "subgraph run",
      "subgraph status",
      "train",
      "validator enrol",
      "validator leave",
      "validator lower",
      "validator run",
      "validator status",
      "worker run",
    ]);
    // It has commands, and runs by itself as well.
    for (const path of [...all, ["keeper"]]) {
      const { code, out, err } = await assay([...path, "--help"], at());
      assert.equal(code, 0, `${path.join(" ")}: ${err}`);
      assert.equal(err, "");
      assert.ok(
        out.includes(`$ assay ${path.join(" ")}`) || out.includes(`assay ${path.join(" ")}`),
        path.join(" "),
      );
      assert.match(out, /Examples?:/);
    }
  });

  it("documents its exit codes", async () => {
    const { out } = await assay(["--help"], at());
    for (const code of [0, 1, 64, 65, 69, 70, 73, 75, 77, 78, 130, 143])
      assert.match(out, new RegExp(`\\b${code}\\b`));
  });

  const wrong: [string, string[], number][] = [
    ["no command", [], 64],
    ["an unknown command", ["frobnicate"], 64],
    ["an unknown option", ["data", "list", "--frobnicate"], 64],
    ["a missing argument", ["data", "get"], 64],
    ["a missing option", ["stake", "register"], 64],
    ["a number out of range", ["data", "put", "digits", "-k", "0"], 64],
    ["no amount", ["stake", "add", "many"], 64],
    ["no address", ["data", "list", "--owner", "0x12"], 64],
    ["an unknown source of proofs", ["data", "get", id, "--proofs", "rumour"], 64],
    ["a path as a key's name", ["account", "new", "../escape"], 64],
    ["no amount of coins", ["data", "challenge", id, "--max-challenge-bonds", "few"], 64],
    ["a malformed dataset id", ["data", "get", "0x12"], 65],
    ["a malformed dataset id to challenge", ["data", "challenge", "0x12"], 65],
    ["an absent source", ["data", "put", "nowhere.csv"], 69],
    ["no chain", ["data", "get", id], 78],
    ["an RPC endpoint that is none", ["--rpc", "ftp://example.org", "data", "list"], 78],
    ["an RPC endpoint that is not there", ["--rpc", "http://127.0.0.1:9", "data", "get", id], 69],
    ["a keystore that is not there", ["--keystore", "nowhere.json", "account", "show"], 78],
  ];
  for (const [what, argv, code] of wrong) {
    it(`ends with ${code} on ${what}`, async () => {
      const plain = await assay(argv, at());
      assert.equal(plain.code, code, plain.all);
      assert.equal(plain.out, "");
      const json = await assay([...argv, "--json"], at());
      assert.equal(json.code, code);
      if (argv.length === 0) return;
      assert.match(plain.err, /^assay: \S/m);
      assert.match(plain.err, /What to do next: \S/);
      const document = JSON.parse(json.out) as { ok: boolean; error: { message: string; exitCode: number } };
      assert.equal(document.ok, false);
      assert.equal(document.error.exitCode, code);
      assert.ok(document.error.message.length > 0);
    });
  }

  it("says which chain is meant when the deployment is of another one", async () => {
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += chunk));
      request.on("end", () =>
        response.end(JSON.stringify({ jsonrpc: "2.0", id: JSON.parse(body).id, result: "0x1" })),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { code, err } = await assay(["data", "list"], at({ env: { ASSAY_RPC_URL: url } }));
    server.close();
    assert.equal(code, 78);
    assert.match(err, /no deployment at .*1\.json/);
  });

  it("stops at once when it is interrupted", async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const [name, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      const interrupt = new AbortController();
      const running = assay(["data", "get", id, "--rpc", url], at({ signal: interrupt.signal }));
      setImmediate(() => interrupt.abort(new Interrupted(name)));
      assert.equal((await running).code, code);
    }
    server.closeAllConnections();
    server.close();
  });

  it("lets no secret out, whatever goes wrong", async () => {
    const key = generatePrivateKey();
    const apiKey = "k3y0f4nRpcProvider77";
    const password = "correct horse battery";
    const passwordFile = join(cwd, "password.txt");
    await writeFile(passwordFile, `${password}\n`);
    const env = { ASSAY_PRIVATE_KEY: key, ASSAY_PASSWORD_FILE: passwordFile };
    const rpc = `http://user:${apiKey}@127.0.0.1:9/v3/${apiKey}?token=${apiKey}`;
    const runs = [
      await assay(["account", "show", "--verbose"], at({ env })),
      await assay(["data", "list", "--verbose", "--rpc", rpc], at({ env })),
      await assay(["data", "list", "--verbose", "--rpc", rpc, "--json"], at({ env })),
      await assay(["account", "show", "--verbose"], at({ env: { ASSAY_PRIVATE_KEY: `${key}zz` } })),
      await assay(["account", "import", "mine", "--verbose", "--json"], at({ env })),
      await assay(["account", "import", "mine", "--verbose"], at({ env })),
      await assay(
        ["account", "show", "--keystore", join(cwd, ".assay/keys/mine.json"), "--verbose"],
        at({ env }),
      ),
    ];
    assert.deepEqual(
      runs.map(({ code }) => code),
      [0, 69, 69, 65, 0, 78, 0],
      runs.map(({ all }) => all).join("\n"),
    );
    for (const { all } of runs) {
      for (const secret of [key, key.slice(2), apiKey, password]) assert.ok(!all.includes(secret), all);
    }
  });

  it("makes, lists and shows keys, and never overwrites one", async () => {
    const home = join(cwd, "keys-home");
    const passwordFile = join(cwd, "another.txt");
    await writeFile(passwordFile, "a password\n");
    const env = { ASSAY_PASSWORD_FILE: passwordFile, ASSAY_HOME: home };
    const made = await assay(["account", "new", "--json"], at({ env }));
    assert.equal(made.code, 0, made.all);
    const { address, path } = JSON.parse(made.out) as { address: string; path: string };
    assert.equal(path, join(home, "keys", "default.json"));
    const again = await assay(["account", "new"], at({ env }));
    assert.equal(again.code, 78);
    const listed = await assay(["account", "list", "--json"], at({ env }));
    assert.deepEqual(JSON.parse(listed.out), { accounts: [{ name: "default", path, address }] });
    // The default key is the one that acts when no other is named.
    const shown = await assay(["account", "show", "--json"], at({ env }));
    assert.equal(JSON.parse(shown.out).address, address);
    await writeFile(passwordFile, "a wrong one\n");
    const refused = await assay(["account", "show"], at({ env }));
    assert.equal(refused.code, 78);
    assert.match(refused.err, /password does not open/);
  });

  it("imports a key from the environment, and derives the same reading key from it ever after", async () => {
    const key = generatePrivateKey();
    const passwordFile = join(cwd, "third.txt");
    await writeFile(passwordFile, "some password\n");
    const env = { ASSAY_PASSWORD_FILE: passwordFile, ASSAY_HOME: join(cwd, "import-home") };
    const direct = await assay(
      ["account", "show", "--json"],
      at({ env: { ...env, ASSAY_PRIVATE_KEY: key } }),
    );
    const imported = await assay(
      ["account", "import", "--json"],
      at({ env: { ...env, ASSAY_PRIVATE_KEY: key } }),
    );
    assert.equal(imported.code, 0, imported.all);
    assert.equal(JSON.parse(imported.out).address, privateKeyToAddress(key));
    const shown = await assay(["account", "show", "--json"], at({ env }));
    assert.deepEqual(JSON.parse(shown.out), JSON.parse(direct.out));
  });
});
