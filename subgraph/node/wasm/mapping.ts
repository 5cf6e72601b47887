import { MappingError, UnsupportedSubgraphError } from "../errors.ts";
import { type ChainBlock, type ChainEvent, type ChainTransaction, writeEvent } from "./ethereum-values.ts";
import { type HostParts, hostImports } from "./host.ts";
import { Memory, type ModuleExports } from "./memory.ts";

/** Memory of an instance after which a fresh one takes its place: the modules' runtime never frees. */
const memoryLimit = 16 << 20;

/** A mapping as graph-cli compiles it: the very bytecode that a graph-node runs. */
export class Mapping {
  readonly #module: WebAssembly.Module;
  readonly #imports: WebAssembly.Imports;
  #exports: (ModuleExports & Record<string, unknown>) | undefined;
  #memory: Memory | undefined;

  /** Throws `UnsupportedSubgraphError` when the mapping needs what this node does not provide. */
  constructor(bytecode: Uint8Array, parts: Omit<HostParts, "memory">) {
    this.#module = new WebAssembly.Module(Buffer.from(bytecode));
    this.#imports = hostImports(WebAssembly.Module.imports(this.#module), {
      ...parts,
      memory: () => this.#memory!,
    });
  }

  has(handler: string): boolean {
    return WebAssembly.Module.exports(this.#module).some(
      ({ name, kind }) => name === handler && kind === "function",
    );
  }

  /** Runs a handler. Throws `MappingError` when the mapping stops. */
  handle(handler: string, event: ChainEvent, block: ChainBlock, transaction: ChainTransaction): void {
    const exports = this.#instance();
    const run = exports[handler];
    if (typeof run !== "function")
      throw new UnsupportedSubgraphError(`the mapping has no handler ${handler}`);
    try {
      run(writeEvent(this.#memory!, event, block, transaction));
    } catch (cause) {
      // A trap leaves the instance in a state that no other handler may see.
      this.#exports = undefined;
      throw cause instanceof WebAssembly.RuntimeError
        ? new MappingError(`${handler} stopped: ${cause.message}`, { cause })
        : cause;
    }
  }

  #instance(): ModuleExports & Record<string, unknown> {
    if (this.#exports !== undefined && this.#exports.memory.buffer.byteLength <= memoryLimit)
      return this.#exports;
    const { exports } = new WebAssembly.Instance(this.#module, this.#imports);
    this.#exports = exports as ModuleExports & Record<string, unknown>;
    this.#memory = new Memory(this.#exports);
    this.#exports._start?.();
    return this.#exports;
  }
}
