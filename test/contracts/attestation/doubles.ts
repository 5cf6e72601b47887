/** The doubles around a committee, typed: Hardhat writes no declarations for contracts that only tests have. */
import type { network } from "hardhat";
import { getContract, parseAbi } from "viem";

const abis = {
  PlainToken: parseAbi([
    "function mint(address to, uint256 amount)",
    "function approve(address spender, uint256 value) returns (bool)",
  ]),
  AttestedJobsDouble: parseAbi([
    "function setCommittee(address committee)",
    "function commit(uint256 jobId, bytes32 traceRoot, uint256 leaves, uint64 challengeUntil)",
    "function open(uint256 jobId, address provider, uint256 intervals, uint8 size, uint8 threshold, uint128 fee)",
    "function close(uint256 jobId)",
    "function end(uint256 jobId)",
    "function told(uint256 jobId) view returns (bytes32 traceRoot, uint256 leaves, uint64 challengeUntil, uint32 attested, uint32 withheld, bool isOver)",
  ]),
  FeesDouble: parseAbi([
    "function fund(uint256 jobId, uint256 fees)",
    "function purse(uint256 jobId) view returns (uint256)",
    "function paid(uint256 jobId, address member) view returns (uint256)",
  ]),
  BeaconDouble: parseAbi([
    "function deliver(uint256 requestId, bytes32 value)",
    "function refuse(bool isRefusing)",
    "function seedOf(uint256 requestId) view returns (bytes32 seed, uint64 readyAt)",
  ]),
} as const;

type Viem = Awaited<ReturnType<typeof network.create>>["viem"];

/** Deploys a double on the chain of `viem`, written to by its first account. */
export async function deployDouble<Name extends keyof typeof abis>(viem: Viem, name: Name) {
  const { address } = await viem.deployContract(name);
  const publicClient = await viem.getPublicClient();
  const [wallet] = await viem.getWalletClients();
  const abi: (typeof abis)[Name] = abis[name];
  return getContract({ address, abi, client: { public: publicClient, wallet: wallet! } });
}
