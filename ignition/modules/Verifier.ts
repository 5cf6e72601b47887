import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import { keccak256, toBytes } from "viem";
import Access from "./Access.ts";

/** Circuits whose keys a deployment registers, as the registry names them: keccak256 of the name. */
export const circuits = ["possession", "covering", "registration"] as const;

export type Circuit = (typeof circuits)[number];

/** Identifier of a circuit in `VerifierRegistry.register` and `KeyRegistered`. */
export function circuitId(circuit: Circuit): `0x${string}` {
  return keccak256(toBytes(circuit));
}

/**
 * The registry and its three keys, given as parameters `possessionKey`, `coveringKey` and `registrationKey` (hex, layout
 * of the storage protocol, section 7). Where anybody can forge proofs under one of them the registry reverts on every chain
 * that is not the local one, and the deployment with it.
 */
export default buildModule("Verifier", (m) => {
  const { access } = m.useModule(Access);
  const registry = m.contract("VerifierRegistry", [access]);
  for (const circuit of circuits) {
    const key = m.getParameter<string>(`${circuit}Key`);
    m.call(registry, "register", [circuitId(circuit), key], { id: `register_${circuit}` });
  }
  return { access, registry };
});
