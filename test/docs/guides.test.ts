import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { connectChain } from "../../keepers/src/chain/client.ts";
import { readDeployment } from "../../keepers/src/chain/deployment.ts";
import { openSubgraph } from "../../subgraph/node/node.ts";
import { blocksOf } from "./blocks.ts";

const root = resolve(import.meta.dirname, "../..");
const documents = [
  "README.md",
  "ARCHITECTURE.md",
  "SECURITY.md",
  "CONTRIBUTING.md",
  ...globSync("docs/**/*.md", { cwd: root }),
];
const read = (path: string) => readFileSync(join(root, path), "utf8");

describe("documents", () => {
  it("links lead somewhere", () => {
    for (const document of documents) {
      for (const [, target] of read(document).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (/^[a-z]+:/.test(target!)) continue;
        assert.ok(
          existsSync(join(root, dirname(document), target!)),
          `${document} links to ${target}, which is not there`,
        );
      }
    }
  });

  it("npm scripts that are named exist", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    for (const document of documents) {
      for (const [, name] of read(document).matchAll(/npm run (?:--silent )?([a-z:]+)/g)) {
        assert.ok(scripts[name!] !== undefined, `${document} names npm run ${name}`);
      }
    }
    assert.ok(scripts.start !== undefined && scripts.test !== undefined);
  });
});

describe("commands of the guides", { timeout: 900_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "assay-guides-"));
  const password = join(folder, "password.txt");
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ASSAY_HOME: join(folder, ".assay"),
    ASSAY_PASSWORD_FILE: password,
  };
  let network: ChildProcess;

  /** Runs one line of a guide as a shell would, from a folder of the user's own. */
  function run(line: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const command = line.replace(
      /^npm run (--silent )?assay -- /,
      `"${process.execPath}" "${join(root, "scripts/run.mjs")}" keepers/src/cli/main.ts `,
    );
    assert.notEqual(command, line, `the test does not know how to run: ${line}`);
    return new Promise((done, failed) => {
      const child = spawn(command, {
        cwd: folder,
        env,
        shell: true,
        stdio: ["ignore", "pipe", "pipe"],
        timeout: 180_000,
      });
      let stdout = "";
      let stderr = "";
      child.stdout.on("data", (chunk) => {
        stdout += chunk;
      });
      child.stderr.on("data", (chunk) => {
        stderr += chunk;
      });
      child.on("error", failed);
      child.on("exit", (code) => done({ code, stdout, stderr }));
    });
  }

  before(async () => {
    writeFileSync(password, "a password for tests\n", { mode: 0o600 });
    // The guide to training names its configurations as they are seen from the repository.
    cpSync(join(root, "docs/guides/training"), join(folder, "docs/guides/training"), { recursive: true });
    const [background] = blocksOf(read("docs/guides/dataset-owner.md")).filter(
      ({ info }) => info === "sh background",
    );
    const args = background!.lines[0]!.replace("npm run assay -- ", "")
      .replace(/--port \d+/, "--port 0")
      .split(" ");
    network = spawn(
      process.execPath,
      [join(root, "scripts/run.mjs"), "keepers/src/cli/main.ts", ...args, "--json"],
      {
        cwd: folder,
        env,
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    await new Promise<void>((ready, failed) => {
      network.on("exit", (code) => failed(new Error(`assay dev ended with ${code}`)));
      createInterface({ input: network.stdout! }).on("line", (line) => {
        if ((JSON.parse(line) as { event?: string }).event === "ready") ready();
      });
    });
  });

  after(async () => {
    network.removeAllListeners("exit");
    const ended = new Promise((done) => network.once("exit", done));
    network.kill("SIGINT");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });

  const described = () =>
    JSON.parse(readFileSync(join(folder, ".assay", "dev", "network.json"), "utf8")) as {
      rpcUrl: string;
      chainId: number;
      deployment: string;
    };

  /** Serves the audit trail of the guides' network, as `npm start` does for its own. */
  async function serveIndex(): Promise<{ url: string; close(): Promise<void> }> {
    const { rpcUrl, chainId, deployment } = described();
    const node = openSubgraph({
      manifest: join(root, "subgraph/build/subgraph.yaml"),
      client: await connectChain({ chainId, urls: [rpcUrl] }),
      deployment: readDeployment({ chainId, file: deployment }),
      path: join(folder, "subgraph.sqlite"),
      pollInterval: 200,
    });
    // An audit rightly finds fault with an index that has not heard yet of what it is asked about.
    await node.indexer.catchUp();
    const stop = new AbortController();
    const running = node.indexer.run(stop.signal);
    const { url, close } = await node.serve();
    return {
      url,
      close: async () => {
        stop.abort();
        await running;
        await close();
        node.close();
      },
    };
  }

  const guides = ["dataset-owner", "auditor", "storage-node", "training", "jobs", "validator", "worker"].map(
    (name) => `docs/guides/${name}.md`,
  );
  for (const document of guides) {
    it(`${document}: every command does what it says`, async (context) => {
      if (document.includes("auditor")) {
        const index = await serveIndex();
        context.after(() => index.close());
        env.ASSAY_SUBGRAPH_URL = index.url;
      }
      for (const { info, lines } of blocksOf(read(document))) {
        // The dataset that the first guide stores; it is not there when this guide is run alone.
        const stored = info === "sh stored" && env.DATASET_ID !== undefined;
        if (info !== "sh" && !stored) continue;
        for (const line of lines) {
          if (line.startsWith("export DATASET_ID")) {
            const { stdout } = await run("npm run assay -- data list --json");
            env.DATASET_ID = (JSON.parse(stdout) as { datasets: { datasetId: string }[] })
              .datasets[0]!.datasetId;
          } else if (!line.startsWith("export ")) {
            const { code, stdout, stderr } = await run(line);
            assert.equal(code, 0, `${line}\n${stdout}\n${stderr}`);
          }
        }
      }
      if (document.includes("owner"))
        assert.ok(existsSync(join(folder, "digits-copy")), "nothing was fetched");
      if (document.includes("training"))
        for (const run of ["digits-run", ...(env.DATASET_ID === undefined ? [] : ["stored-run"])])
          assert.ok(existsSync(join(folder, run, "model.onnx")), `${run}: nothing was trained`);
    });
  }

  it("docs/guides/deployer.md: deploys to a node over JSON-RPC", async () => {
    const { rpcUrl } = described();
    const [block] = blocksOf(read("docs/guides/deployer.md")).filter(({ info }) => info === "sh deploy");
    const home = join(folder, "deployer");
    // The guide's node listens at the usual port; this one does not.
    const { code, stdout, stderr } = await run(`${block!.lines[0]} --url ${rpcUrl} --home ${home} --json`);
    assert.equal(code, 0, stderr);
    const { addresses } = JSON.parse(stdout) as { addresses: Record<string, string> };
    assert.match(addresses.StorageAudit ?? "", /^0x[0-9a-fA-F]{40}$/);
  });
});
