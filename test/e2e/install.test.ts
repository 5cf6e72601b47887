import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, describe, it } from "node:test";
import { bringNode, isRecent, leastNode, nodeBelow, nodePackage } from "../../scripts/bring-node.mjs";

const root = resolve(import.meta.dirname, "../..");
const packageJson = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  optionalDependencies: Record<string, string>;
};
const name = nodePackage(packageJson);
const folder = mkdtempSync(join(tmpdir(), "assay-install-"));

/** A project whose lockfile names the given package alone. */
function projectWith(label: string, version: string, integrity: string): string {
  const project = join(folder, label);
  mkdirSync(project);
  const packages = { [`node_modules/${name}`]: { version, integrity } };
  writeFileSync(join(project, "package-lock.json"), JSON.stringify({ lockfileVersion: 3, packages }));
  return project;
}

/** sha512 of the least Node.js for Linux on x64, as the registry has it. */
const leastIntegrity =
  "sha512-XOTgTOMhTYDGTyyBoJzEd5Oh7FkvpgRRN1PDzycxCJbYp13XGs18v58KHsfZNYg/1iCtMEUcjbi+N/23ZcUfkA==";
const onLinux = process.platform === "linux" && process.arch === "x64";

/** Parses every source as a module, and says which it could not. */
const parser = `
  import { readFileSync } from "node:fs";
  import { stripTypeScriptTypes } from "node:module";
  import { SourceTextModule } from "node:vm";
  const failed = [];
  for (const file of JSON.parse(process.argv[1])) {
    try {
      const text = readFileSync(file, "utf8");
      new SourceTextModule(file.endsWith(".ts") ? stripTypeScriptTypes(text) : text, { identifier: file });
    } catch (error) {
      failed.push(file + ": " + error.message);
    }
  }
  console.log(JSON.stringify({ version: process.versions.node, failed }));
`;

describe("the installation", () => {
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("has a Node.js that is recent enough for every platform the README names", () => {
    const platforms = ["linux", "darwin", "win32"].flatMap((os) => [
      [os, "x64"] as const,
      [os, "arm64"] as const,
    ]);
    for (const [os, arch] of platforms) {
      const found = nodePackage(packageJson, os, arch);
      assert.ok(found, `${os}-${arch} has no package`);
      assert.ok(isRecent(packageJson.optionalDependencies[found]!), `${found} is too old`);
    }
    assert.equal(nodePackage(packageJson, "sunos", "x64"), undefined);
  });

  it("compares versions by their numbers", () => {
    for (const recent of [leastNode, "24.11.2", "24.100.0", "25.0.0", "100.0.0"])
      assert.ok(isRecent(recent), recent);
    for (const old of ["20.20.2", "22.23.2", "23.11.0", "24.0.0", "24.11.0", "24.9.9"])
      assert.ok(!isRecent(old), old);
  });

  it("runs nothing of an archive that is not the one whose hash the repository holds", {
    skip: name === undefined,
  }, () => {
    const wrong = `sha512-${Buffer.alloc(64, 7).toString("base64")}`;
    const project = projectWith("tampered", packageJson.optionalDependencies[name!]!, wrong);
    const target = join(folder, "tampered-node");
    assert.throws(
      () => bringNode(project, name!, target),
      /could not fetch .* as package-lock.json names it/,
    );
    assert.ok(!existsSync(nodeBelow(join(target, "node_modules"), name!)));
  });

  it("refuses a lockfile that names no hash", { skip: name === undefined }, () => {
    const project = projectWith("unnamed", packageJson.optionalDependencies[name!]!, "");
    rmSync(join(project, "package-lock.json"));
    writeFileSync(join(project, "package-lock.json"), JSON.stringify({ packages: {} }));
    assert.throws(() => bringNode(project, name!, join(folder, "unnamed-node")), /no hash of/);
  });

  it("can parse every source with the least Node.js that it accepts", { skip: !onLinux }, () => {
    const node = bringNode(
      projectWith("least", leastNode, leastIntegrity),
      name!,
      join(folder, "least-node"),
    );
    const roots = "{keepers,subgraph/node,scripts,bench,circuits,ignition,test}";
    const files = globSync(`${roots}/**/*.{ts,mjs}`, { cwd: root }).map((file) => join(root, file));
    assert.ok(files.length > 1_000);
    const flags = ["--experimental-vm-modules", "--no-warnings", "--input-type=module", "--eval"];
    const { stdout, stderr } = spawnSync(node, [...flags, parser, JSON.stringify(files)], {
      encoding: "utf8",
    });
    assert.notEqual(stdout, "", stderr);
    assert.deepEqual(JSON.parse(stdout), { version: leastNode, failed: [] });
  });

  it("runs the command line on the least Node.js that it accepts", { skip: !onLinux }, () => {
    const node = nodeBelow(join(folder, "least-node", "node_modules"), name!);
    const { status, stdout, stderr } = spawnSync(node, [join(root, "keepers/src/cli/main.ts"), "--help"], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /Usage: assay/);
  });
});
