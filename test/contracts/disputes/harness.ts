/** The harness contracts, typed: Hardhat writes no declarations for contracts that only tests have. */
import { network } from "hardhat";
import { getContract, parseAbi } from "viem";

const context = "struct StepContext { uint256 learningRate; uint256 logMicroBatches; }";
const batch = "struct Batch { uint256[] outs; int256[] mantissas; int256 exponent; }";
const elements = "(int256[] accumulators, int256 from, uint8[] verdicts)";

const exact = parseAbi([
  context,
  batch,
  `function elements(bytes descriptor, bytes operands, uint256 gradients, StepContext context, Batch batch) pure returns ${elements}`,
  "function partialSum(bytes descriptor, bytes operands, uint256 gradients, uint256 out, uint256 candidate, uint256 k0, uint256 k1) pure returns (int256)",
  "function complete(bytes descriptor, bytes operands, uint256 gradients, uint256 out, int256[] sums, StepContext context) pure returns (int256, int256)",
  "function products(bytes descriptor, uint256 logMicroBatches) pure returns (uint256, uint256)",
  "error NotOpened(uint256 element)",
  "error NoSuchElement(uint256 element, uint256 elements)",
  "error NoSuchProducts(uint256 from, uint256 to, uint256 products)",
  "error WrongSumCount(uint256 count, uint256 expected)",
  "error WrongOperands(uint256 length, uint256 expected)",
]);

const input = parseAbi([
  batch,
  `function inputs(bytes descriptor, bytes[] objects, Batch batch) pure returns ${elements}`,
]);

const dispute = parseAbi([
  "function prepare(bytes32 root, uint256[3] counts, bytes32[] operands)",
  "function rule(bytes descriptor, bytes32[] siblings, bytes operands, uint256 out, uint96 claim, uint256 learningRate)",
  "function ruled() view returns (uint8)",
  "error WrongOperand(uint256 operand)",
  "error WrongDescriptor(uint256 tape, uint256 index)",
  "error WrongOperands(uint256 length, uint256 expected)",
]);

const opening = parseAbi([
  "function verify(bytes descriptor, bytes32[] siblings, bytes32 root, uint256[3] counts) pure returns (uint256, uint256)",
  "function isWitness(bytes descriptor, int256 accumulator, int256 from, int256 to) pure returns (bool)",
  "function judge(bytes descriptor, int256 accumulator, int256 from, int256 mantissa, int256 to) pure returns (uint8)",
  "function leaf(bytes descriptor, bytes32 dataRoot, uint256 index, bytes data, bytes32[] siblings) pure returns (uint8)",
  "function read(bytes descriptor, bytes opening, uint256[] wanted) pure returns (bytes32 commitment, int256[] mantissas)",
  "function areVoid(bytes[] descriptors, uint256 tape, uint256 index) pure returns (bool[] verdicts)",
  "function limits() pure returns (int256[18])",
  "error NotOpened(uint256 element)",
  "error NoSuchElement(uint256 element, uint256 elements)",
  "error NoSuchLeaves(uint256 first, uint256 count, uint256 leaves)",
  "error WrongLeaves(uint256 span)",
  "error MalformedDescriptor()",
  "error NoSuchNode(uint256 tape, uint256 index)",
  "error WrongDescriptor(uint256 tape, uint256 index)",
]);

const order =
  "struct Order { bytes32 seed; bytes32 splitSeed; uint256 objects; uint256 training; uint256 batch; uint256 microBatches; }";

const random = parseAbi([
  order,
  "function tablesDigest() pure returns (bytes32)",
  "function philox(uint64 key, uint32[4] counter) pure returns (uint256, uint256, uint256, uint256)",
  "function permute(bytes32 seed, uint256 domain, uint256 round, uint256 size, uint256[] points) pure returns (uint256[] images)",
  "function objectsAt(Order order, uint256[3][] places) pure returns (uint256[] objects)",
  "function initialize(bytes32 seed, uint256 slot, uint256 fanIn, uint256[] indices) pure returns (int256[] mantissas)",
  "error OutsidePermutation(uint256 x, uint256 size)",
]);

const abis = {
  ExactHarness: exact,
  InputHarness: input,
  DisputeHarness: dispute,
  OpeningHarness: opening,
  RandomHarness: random,
} as const;

/** Deploys a harness on a chain of its own. */
export async function deployHarness<Name extends keyof typeof abis>(name: Name) {
  const { viem } = await network.create();
  const { address } = await viem.deployContract(name);
  const publicClient = await viem.getPublicClient();
  const [wallet] = await viem.getWalletClients();
  const abi: (typeof abis)[Name] = abis[name];
  return {
    publicClient,
    contract: getContract({ address, abi, client: { public: publicClient, wallet: wallet! } }),
  };
}
