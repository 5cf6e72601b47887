import { parseAbi } from "viem";

/**
 * The moves of `contracts/disputes/interfaces/IDisputeRules.sol`, of all books. Each returns an outcome and the next round;
 * the game alone reads those.
 */
export const moveAbi = parseAbi([
  "struct Position { bytes32 stateBefore; bytes32 stateAfter; uint256 firstStep; uint256 steps; bytes32 witnesses; bytes32 tensors; uint256 place; bytes32 commitment; bytes32 descriptor; bytes32 node; uint256 level; uint256 index; uint256 leaves; int256 exponent; uint256 claim; uint256 out; uint256 from; uint256 to; int256 total; bytes32 sums; }",
  "struct TrainingClaim { address provider; uint64 challengeUntil; bytes32 traceRoot; bytes32 programRoot; bytes32 trainingHash; uint256 steps; uint256 interval; uint256 logMicroBatches; uint256[3] nodeCounts; uint256 witnessNode; uint256 slots; }",
  "struct Round { uint8 stage; uint256 interval; Position position; TrainingClaim claim; }",
  "struct TraceLeaf { bytes32 stateRoot; bytes32 witnessHash; bytes32[] siblings; }",
  "struct NamedStep { uint256 number; bytes32 before; bytes32[] beforeSiblings; bytes32 next; bytes32[] nextSiblings; bytes32 witness; bytes32[] witnessSiblings; }",
  "struct NamedRoot { uint256 number; bytes32 before; bytes32[] beforeSiblings; bytes32 next; bytes32[] nextSiblings; }",
  "struct PostedStates { bytes32 salt; bytes32[] witnesses; bytes32[] roots; }",
  "struct PostedTensors { bytes32[] nodes; bytes32[] siblings; }",
  "struct LinkAnswer { bytes descriptor; bytes32[] siblings; bytes store; bytes32[] storeSiblings; }",
  "struct NamedTensor { uint256 number; bytes32 commitment; bytes32[] siblings; bytes descriptor; bytes32[] descriptorSiblings; }",
  "struct NamedSlot { uint256 number; bytes32 leaf; bytes32[] siblings; bytes store; bytes32[] storeSiblings; bytes32 commitment; bytes32[] listSiblings; }",
  "struct Evidence { bytes descriptor; uint256 out; bytes leaf; bytes operands; bytes32[][] proofs; bytes store; bytes32[] storeProof; bytes order; }",
  "struct ObjectEvidence { bytes raw; bytes[] chunks; bytes32[][] chunkProofs; bytes32[] objectProof; }",
  "function postTrace(Round round, bytes32[] roots)",
  "function nameTrace(Round round, NamedRoot named)",
  "function openInterval(Round round, TraceLeaf before, TraceLeaf next, PostedStates posted)",
  "function postStates(Round round, PostedStates posted)",
  "function openClaim(Round round, TraceLeaf before, TraceLeaf next, bytes32[] siblings, bytes32[] witnesses, bytes32[] roots)",
  "function nameStep(Round round, NamedStep named)",
  "function postTensors(Round round, PostedTensors posted)",
  "function postNodes(Round round, bytes32[] nodes)",
  "function nameChild(Round round, uint256 number, bytes32 child, bytes32[] siblings)",
  "function nameTensor(Round round, NamedTensor named)",
  "function answerLink(Round round, LinkAnswer answer)",
  "function nameState(Round round)",
  "function ruleSlot(Round round, NamedSlot named)",
  "function postHashes(Round round, int256 exponent, bytes32[] nodes)",
  "function postLeaf(Round round, bytes leaf)",
  "function ruleLeaf(Round round, bytes descriptor, bytes leaf)",
  "function claimTooLarge(Round round, bytes descriptor)",
  "function ruleElement(Round round, Evidence evidence)",
  "function answerWitness(Round round, Evidence evidence)",
  "function ruleTotal(Round round, Evidence evidence, bytes sums)",
  "function ruleSum(Round round, Evidence evidence, bytes sums, uint256 number)",
  "function askSums(Round round, bytes descriptor, uint256 out)",
  "function postSums(Round round, bytes sums)",
  "function answerWitnessSums(Round round, bytes descriptor, uint256 out, bytes sums)",
  "function narrowSum(Round round, bytes sums, uint256 number)",
  "function ruleInput(Round round, Evidence evidence, ObjectEvidence object)",
]);

/** Names of the moves. */
export type MoveName = Extract<(typeof moveAbi)[number], { type: "function" }>["name"];
