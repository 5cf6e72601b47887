// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { parseAbi } from "viem";

export const elementRulesAbi = parseAbi([
  "function answerWitness((uint8 stage, uint256 interval, (bytes32 stateBefore, bytes32 stateAfter, uint256 firstStep, uint256 steps, bytes32 witnesses, bytes32 tensors, uint256 place, bytes32 commitment, bytes32 descriptor, bytes32 node, uint256 level, uint256 index, uint256 leaves, int256 exponent, uint256 claim, uint256 out, uint256 from, uint256 to, int256 total, bytes32 sums) position, (address provider, uint64 challengeUntil, bytes32 traceRoot, bytes32 programRoot, bytes32 trainingHash, uint256 steps, uint256 interval, uint256 logMicroBatches, uint256[3] nodeCounts, uint256 witnessNode, uint256 slots) claim) round, (bytes descriptor, uint256 out, bytes leaf, bytes operands, bytes32[][] proofs, bytes store, bytes32[] storeProof, bytes order) evidence) pure",
  "function ruleElement((uint8 stage, uint256 interval, (bytes32 stateBefore, bytes32 stateAfter, uint256 firstStep, uint256 steps, bytes32 witnesses, bytes32 tensors, uint256 place, bytes32 commitment, bytes32 descriptor, bytes32 node, uint256 level, uint256 index, uint256 leaves, int256 exponent, uint256 claim, uint256 out, uint256 from, uint256 to, int256 total, bytes32 sums) position, (address provider, uint64 challengeUntil, bytes32 traceRoot, bytes32 programRoot, bytes32 trainingHash, uint256 steps, uint256 interval, uint256 logMicroBatches, uint256[3] nodeCounts, uint256 witnessNode, uint256 slots) claim) round, (bytes descriptor, uint256 out, bytes leaf, bytes operands, bytes32[][] proofs, bytes store, bytes32[] storeProof, bytes order) evidence) pure",
  "error EmptyWindow()",
  "error MalformedDescriptor()",
  "error NoOperation(uint256 opcode)",
  "error NoSuchElement(uint256 element, uint256 elements)",
  "error NoSuchLeaves(uint256 first, uint256 count, uint256 leaves)",
  "error NoSuchNode(uint256 tape, uint256 index)",
  "error NoSum(uint256 row)",
  "error NotElementwise(uint256 opcode)",
  "error NotOpened(uint256 element)",
  "error NotRequantized(uint256 opcode)",
  "error NothingShown()",
  "error OtherRules(uint256 opcode)",
  "error WrongDescriptor(uint256 tape, uint256 index)",
  "error WrongLeaf(uint256 out)",
  "error WrongLeaves(uint256 span)",
  "error WrongOperand(uint256 operand)",
  "error WrongOperands(uint256 length, uint256 expected)",
  "error WrongOrder()",
  "error WrongProofCount(uint256 count, uint256 expected)",
  "error WrongProofLength(uint256 length, uint256 depth)",
  "error WrongStage(uint8 stage)",
  "error WrongStore()",
]);
