import { ModuleBuilder } from "./assembler.ts";
import { f64x2, i8x16, i32, i64, i64x2, v128 } from "./instructions.ts";

/** What the engine this code runs in can do beyond plain WebAssembly SIMD. */
export type EngineFeatures = {
  /** `i8x16.relaxed_swizzle` exists. */
  relaxedSwizzle: boolean;
  /** `f64x2.relaxed_madd` exists and rounds once, on this machine. */
  fusedMultiplyAdd: boolean;
};

function hasRelaxedSwizzle(): boolean {
  const module = new ModuleBuilder(1);
  const probe = module.function(["i32"]);
  const address = probe.parameter("i32", 0).value;
  probe.emit(v128.store(address, i8x16.relaxedSwizzle(v128.load(address), v128.load(address))));
  return WebAssembly.validate(module.encode());
}

/**
 * (1 + 2^−30)² − (1 + 2^−29) is 2^−60 when the product is not rounded before the sum, and 0 when it is. The relaxed
 * SIMD proposal requires the choice to be the same for every execution in one environment, so one probe decides.
 */
function fusesMultiplyAdd(): boolean {
  const module = new ModuleBuilder(1);
  const probe = module.function([], "probe");
  const factor = probe.local("v128");
  const double = (value: number): bigint => new BigInt64Array(new Float64Array([value]).buffer)[0]!;
  probe.set(factor, i64x2.splat(i64.const(double(1 + 2 ** -30))));
  const addend = i64x2.splat(i64.const(double(-(1 + 2 ** -29))));
  probe.emit(v128.store(i32.const(0), f64x2.relaxedMadd(factor.value, factor.value, addend)));
  const bytes = module.encode();
  if (!WebAssembly.validate(bytes)) return false;
  const { probe: run, memory } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  (run as () => void)();
  return new Float64Array((memory as WebAssembly.Memory).buffer)[0] === 2 ** -60;
}

let found: EngineFeatures | undefined;

/** Probes the engine once. */
export function engineFeatures(): EngineFeatures {
  found ??= { relaxedSwizzle: hasRelaxedSwizzle(), fusedMultiplyAdd: fusesMultiplyAdd() };
  return found;
}
