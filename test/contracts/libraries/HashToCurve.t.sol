// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AggregateBLS} from "../../../contracts/attestation/AggregateBLS.sol";
import {BLS} from "../../../contracts/libraries/BLS.sol";
import {BN254} from "../../../contracts/libraries/BN254.sol";
import {HashToCurve} from "../../../contracts/libraries/HashToCurve.sol";
import {MiniTest} from "../MiniTest.sol";

/// @notice The straight-line SvdW program of RFC 9380, appendix F.1, step by step, with the modexp precompile.
library StraightLineSvdw {
    uint256 private constant P = BN254.P;
    uint256 private constant C2 = 0x183227397098d014dc2822db40c0ac2ecbc0b548b438e5469e10460b6c3e7ea3;
    uint256 private constant C3 = 0x16789af3a83522eb353c98fc6b36d713d5d8d1cc5dffffffa;
    uint256 private constant C4 = 0x10216f7ba065e00de81ac1e7808072c9dd2b2385cd7b438469602eb24829a9bd;

    function power(uint256 base, uint256 exponent) internal view returns (uint256) {
        (bool ok, bytes memory out) = address(5).staticcall(abi.encode(32, 32, 32, base, exponent, P));
        assert(ok);
        return abi.decode(out, (uint256));
    }

    function map(uint256 u) internal view returns (uint256 x, uint256 y) {
        uint256 tv1 = mulmod(mulmod(u, u, P), 4, P);
        uint256 tv2 = addmod(1, tv1, P);
        tv1 = addmod(1, P - tv1, P);
        uint256 tv3 = power(mulmod(tv1, tv2, P), P - 2);
        uint256 tv4 = mulmod(mulmod(mulmod(u, tv1, P), tv3, P), C3, P);
        uint256 x1 = addmod(C2, P - tv4, P);
        bool e1 = isSquare(rightSide(x1));
        uint256 x2 = addmod(C2, tv4, P);
        bool e2 = isSquare(rightSide(x2)) && !e1;
        uint256 x3 = mulmod(mulmod(tv2, tv2, P), tv3, P);
        x3 = addmod(mulmod(mulmod(x3, x3, P), C4, P), 1, P);
        x =
            e1
                ? x1
                : e2
                    ? x2
                    : x3;
        y = power(rightSide(x), (P + 1) / 4);
        if ((u ^ y) & 1 == 1) y = P - y;
    }

    function rightSide(uint256 x) internal pure returns (uint256) {
        return addmod(mulmod(mulmod(x, x, P), x, P), 3, P);
    }

    function isSquare(uint256 a) internal view returns (bool) {
        return power(a, (P - 1) / 2) <= 1;
    }
}

contract HashToCurveTest is MiniTest {
    uint256 private constant P = BN254.P;
    bytes private constant DST = "BLS_SIG_BN254G1_XMD:KECCAK-256_SVDW_RO_NUL_";

    function testFuzz_rootPower_equalsModexp(uint256 x) public view {
        x %= P;
        vm.assertEq(BN254.rootPower(x), StraightLineSvdw.power(x, (P - 3) / 4), "power");
    }

    function testFuzz_mapToPoint_equalsTheStraightLineProgram(uint256 u) public view {
        _compare(u % P);
    }

    function test_mapToPoint_atTheEdges() public view {
        // 1 − 4u² = 0 at ±1/2, where RFC 9380 takes the inverse of 0 as 0.
        uint256 half = (P + 1) / 2;
        _compare(half);
        _compare(P - half);
        _compare(0);
        _compare(1);
        _compare(P - 1);
    }

    function test_mapToPoint_publishedVector() public pure {
        uint256[2] memory point = HashToCurve.mapToPoint(
            3540903031681319421922757684101610645767707797048988415875375111724680581685
        );
        vm.assertEq(
            point[0],
            8075871960767046579231430403985926277223410823818061304251976251393112450333,
            "x"
        );
        vm.assertEq(
            point[1],
            906535411243285569638264840959243001417172892367399608998007435385595449341,
            "y"
        );
    }

    function test_hashToPoint_drandRounds() public view {
        vm.assertEq(
            HashToCurve.hashToPoint(DST, _message(6390578))[0],
            0x1c21362e47afef557315c7bb137d3429ebeee2bc2d3f8dc588e3ab16d37d133e,
            "evmnet round 6390578"
        );
        vm.assertEq(
            HashToCurve.hashToPoint(DST, _message(1))[0],
            0x073d3d00a1c3ca588db79d44202e44b2f45995ddd39e705717c9edfcb79e4371,
            "round 1"
        );
    }

    function test_hashToPoint_overlongDomain_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(HashToCurve.DomainTooLong.selector, 256));
        this.hashUnder(new bytes(256));
    }

    function hashUnder(bytes memory dst) external view returns (uint256[2] memory) {
        return HashToCurve.hashToPoint(dst, "");
    }

    function test_verify_drandRound_andEveryMutationOfIt() public view {
        uint256[4] memory key = _evmnetKey();
        uint256[2] memory signature = _signature();
        vm.assertTrue(BLS.isKey(key), "key");
        vm.assertTrue(BLS.verify(key, DST, _message(6390578), signature), "published round");
        vm.assertFalse(BLS.verify(key, DST, _message(6390579), signature), "another round");
        vm.assertFalse(BLS.verify(key, "another domain", _message(6390578), signature), "another domain");

        uint256[2] memory bad = [signature[0], P - signature[1]];
        vm.assertFalse(BLS.verify(key, DST, _message(6390578), bad), "negated");
        bad = [signature[0], signature[1] + P];
        vm.assertFalse(BLS.verify(key, DST, _message(6390578), bad), "y + p");
        bad = [signature[0] + P, signature[1]];
        vm.assertFalse(BLS.verify(key, DST, _message(6390578), bad), "x + p");
        bad = [signature[0], signature[1] ^ 1];
        vm.assertFalse(BLS.verify(key, DST, _message(6390578), bad), "off the curve");
        bad = [uint256(0), 0];
        vm.assertFalse(BLS.verify(key, DST, _message(6390578), bad), "infinity");
        bad = [type(uint256).max, 1];
        vm.assertFalse(BLS.verify(key, DST, _message(6390578), bad), "words far beyond the field");
        uint256[4] memory far = [uint256(0), 0, type(uint256).max, 1];
        uint256[2] memory g1 = [uint256(1), 2];
        vm.assertFalse(AggregateBLS.verify(DST, bytes32(0), g1, g1, far), "a key far beyond the field");
    }

    function test_attack15_keysOffTheCurveOrTheSubgroup_areNone() public view {
        uint256[4] memory key = _evmnetKey();
        uint256[4] memory swapped = [key[1], key[0], key[3], key[2]];
        vm.assertFalse(BLS.isKey(swapped), "halves swapped");
        vm.assertFalse(BLS.isKey([uint256(0), 0, 0, 0]), "infinity");
        key[3] ^= 1;
        vm.assertFalse(BLS.isKey(key), "off the curve");
    }

    function _compare(uint256 u) private view {
        (uint256 x, uint256 y) = StraightLineSvdw.map(u);
        uint256[2] memory point = HashToCurve.mapToPoint(u);
        vm.assertEq(point[0], x, "x");
        vm.assertEq(point[1], y, "y");
    }

    function _message(uint64 round) private pure returns (bytes memory) {
        return abi.encodePacked(keccak256(abi.encodePacked(round)));
    }

    function _evmnetKey() private pure returns (uint256[4] memory) {
        return
            [
                0x07e1d1d335df83fa98462005690372c643340060d205306a9aa8106b6bd0b382,
                0x0557ec32c2ad488e4d4f6008f89a346f18492092ccc0d594610de2732c8b808f,
                0x0095685ae3a85ba243747b1b2f426049010f6b73a0cf1d389351d5aaaa1047f6,
                0x297d3a4f9749b33eb2d904c9d9ebf17224150ddd7abd7567a9bec6c74480ee0b
            ];
    }

    function _signature() private pure returns (uint256[2] memory) {
        return
            [
                0x0d0d705983f50d6a2846e77d8d12a238f0be277a2307eb3e0d5206dc6765b0f9,
                0x1f04e596e3b28295086e8fda9047d40d37f7c2d8fb2f6686839101692e4f5f13
            ];
    }
}
