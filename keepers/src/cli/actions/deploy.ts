import { join } from "node:path";
import type { Address } from "viem";
import { circuitArtifacts, repository } from "../../../../circuits/setup/circuits.ts";
import { type Circuit, circuits, writeDeployment } from "../../chain/deployment.ts";
import { circuitsFolder, readKey } from "../circuits.ts";
import type { CommandContext } from "../context.ts";
import { ConfigurationError } from "../errors.ts";
import { beacons, networks } from "../networks.ts";
import { enterRepository } from "../repository.ts";

export type DeployOptions = {
  network: keyof typeof networks;
  url?: string;
  beacon?: keyof typeof beacons;
  circuits?: string;
  parameters?: string;
  token?: Address;
  proposer?: Address;
  executor?: Address;
};

/** `assay deploy` */
export async function deploy(context: CommandContext, options: DeployOptions): Promise<void> {
  const { output, home } = context;
  const { network } = options;
  const local = network === "localhost";
  const chainId = networks[network];
  if (local && options.circuits !== undefined) {
    throw new ConfigurationError("localhost takes the development keys", { next: "Leave --circuits out." });
  }
  const base = await circuitsFolder(context, chainId, options.circuits);
  const verifyingKeys = await Promise.all(
    circuits.map(
      async (circuit) => [circuit, await readKey(circuitArtifacts(circuit, base).verifyingKeyBytes)] as const,
    ),
  );
  const beacon = beacons[options.beacon ?? (local ? "commit-reveal" : "drand")];
  output.note(`deploying to ${network}; this takes a minute, on public networks several`);
  enterRepository();
  const { deployContracts, readParameters, withParameters } = await import("../../chain/deploy.ts");
  // A local chain takes the modules' own values, a public network what is written for it; the user's own file goes before.
  const files = [
    ...(local ? [] : [join(repository, "ignition", "parameters", `${network}.json5`)]),
    ...(options.parameters === undefined ? [] : [context.path(options.parameters)]),
  ];
  const { proposer, executor } = options;
  const named = {
    Governance: { ...(proposer !== undefined && { proposer }), ...(executor !== undefined && { executor }) },
  };
  const parameters = [...(await Promise.all(files.map(readParameters))), named].reduce(withParameters, {});
  const deployment = await deployContracts({
    network,
    url: options.url,
    beacon,
    keys: Object.fromEntries(verifyingKeys) as Record<Circuit, Uint8Array>,
    parameters,
    ...(options.token !== undefined && { token: options.token }),
    // A local chain may begin anew under the same id: a journal of the old one would only confuse.
    deploymentId: local ? undefined : `assay-${chainId}`,
  });
  const path = writeDeployment(deployment, join(home, "deployments"));
  output.result({ path, ...deployment }, [
    ...Object.entries({ ...deployment.addresses, ...deployment.governance }).map(
      ([name, address]) => `${name.padEnd(20)}  ${address}`,
    ),
    `The addresses are in ${path}.`,
  ]);
}
