import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { Command } from "commander";
import { natural, tokens } from "../../../keepers/src/cli/commands/options.ts";
import { validatorCommands } from "../../../keepers/src/cli/commands/validator.ts";
import { applyConfigFile, withConfigFile } from "../../../keepers/src/cli/config-file.ts";
import { assay } from "./terminal.ts";

const cwd = await mkdtemp(join(tmpdir(), "assay-config-"));
after(() => rm(cwd, { recursive: true, force: true }));

/** Options of a command line with a file behind it. */
async function parse(text: string, argv: string[] = []): Promise<Record<string, unknown>> {
  const path = join(cwd, "keeper.yaml");
  await writeFile(path, text);
  const command = withConfigFile(new Command())
    .option("--weight <units>", "", natural(1, 100), 1)
    .option("--stake <tokens>", "", tokens)
    .option("--listen <multiaddr...>", "", ["/ip4/0.0.0.0/tcp/4702"])
    .option("--auctions-only", "")
    .option("--engine <name>", "", "native");
  command.parse([...argv, "--config", "keeper.yaml"], { from: "user" });
  applyConfigFile(command, (name) => join(cwd, name));
  return command.opts();
}

describe("configuration files of keepers", () => {
  it("take the place of defaults, and go through the options' own parsers", async () => {
    const options = await parse(
      "weight: 3\nstake: 2.5\nlisten: [/ip4/127.0.0.1/tcp/1]\nauctions-only: true\n",
    );
    assert.deepEqual(options, {
      config: "keeper.yaml",
      weight: 3,
      stake: 25n * 10n ** 17n,
      listen: ["/ip4/127.0.0.1/tcp/1"],
      auctionsOnly: true,
      engine: "native",
    });
  });

  it("come behind the command line", async () => {
    const options = await parse("weight: 3\nengine: wasm\n", ["--weight", "4"]);
    assert.equal(options.weight, 4);
    assert.equal(options.engine, "wasm");
  });

  it("are JSON as well, or empty", async () => {
    assert.equal((await parse('{"weight": 7}')).weight, 7);
    assert.equal((await parse("")).weight, 1);
  });

  it("attack: secrets, unknown keys, nested values, bombs and what no option takes are refused", async () => {
    const refused: [string, RegExp][] = [
      ["private-key: '0x01'", /no option --private-key/],
      ["config: other.yaml", /no option --config/],
      ["weight: { a: 1 }", /weight/],
      ["weight: 0", /weight: It must be a whole number from 1 to 100/],
      ["weight: [1, 2]", /one value/],
      ["weight: true", /must not be true/],
      ["auctions-only: 1", /true or false/],
      ["weight: 1\nweight: 2", /unique/i],
      ["a: &a [1]\nb: *a", /.+/],
      ["- weight", /.+/],
      [`engine: ${"x".repeat(70_000)}`, /too long/],
    ];
    for (const [text, reason] of refused) await assert.rejects(parse(text), reason, text.slice(0, 40));
  });

  it("of the guide are taken by the command that it names", async () => {
    const guide = await readFile(join(import.meta.dirname, "../../../docs/guides/validator.md"), "utf8");
    const path = join(cwd, "guide.yaml");
    await writeFile(path, /```yaml config\n([\s\S]*?)```/.exec(guide)![1]!);
    const program = new Command();
    validatorCommands(program, { action: () => async () => {} });
    await program.parseAsync(["validator", "run", "--config", path], { from: "user" });
    const run = program.commands[0]!.commands.find((command) => command.name() === "run")!;
    applyConfigFile(run, (name) => name);
    assert.deepEqual(run.opts(), {
      config: path,
      engine: "native",
      fetchTime: 1_800,
      turn: 60,
      weight: 2,
      listen: ["/ip4/0.0.0.0/tcp/4702"],
      announce: ["/dns4/validator.example.org/tcp/4702"],
      metricsPort: 9465,
      threads: 2,
      link: 100,
    });
  });

  it("are named when they cannot be used, with an exit code of their own", async () => {
    const missing = await assay(["validator", "run", "--config", "nowhere.yaml"], { cwd });
    assert.equal(missing.code, 78);
    assert.match(missing.err, /nowhere\.yaml cannot be read/);
    await writeFile(join(cwd, "bad.yaml"), "wieght: 2\n");
    const bad = await assay(["validator", "run", "--config", "bad.yaml"], { cwd });
    assert.equal(bad.code, 65);
    assert.match(bad.err, /no option --wieght[\s\S]*weight/);
  });
});
