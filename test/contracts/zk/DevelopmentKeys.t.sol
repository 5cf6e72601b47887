// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {VerifierRegistry} from "../../../contracts/zk/VerifierRegistry.sol";
import {IVerifierRegistry} from "../../../contracts/zk/interfaces/IVerifierRegistry.sol";
import {BN254} from "../../../contracts/libraries/BN254.sol";
import {MiniTest} from "../MiniTest.sol";

contract DevelopmentKeysTest is MiniTest {
    VerifierRegistry internal registry;
    uint256[8] internal proof;

    function setUp() public {
        registry = new VerifierRegistry(address(new AccessManager(address(this))));
        // With alpha = beta = gamma = delta = IC_0 = 1 and no inputs: a·b = 1 + 1 + c holds for 3·1 = 2 + 1.
        proof = [
            0x0769bf9ac56bea3ff40232bcb1b6bd159315d84715b8e679f2d355961915abf0,
            0x2ab799bee0489429554fdb7c8d086475319e63b40b9c5b57cdf1ff3dd9fe2261,
            BN254.NEG_G2_X1,
            BN254.NEG_G2_X0,
            BN254.P - BN254.NEG_G2_Y1,
            BN254.P - BN254.NEG_G2_Y0,
            1,
            2
        ];
    }

    function test_attack16_developmentKey_isRefusedOnPublicChains(uint64 id) public {
        vm.assume(id != 0 && id != 31337);
        vm.chainId(id);
        vm.expectRevert(
            abi.encodeWithSelector(IVerifierRegistry.DevelopmentKeyOnPublicChain.selector, uint256(id))
        );
        registry.register("circuit", _key());
    }

    function test_attack16_developmentKey_diesWhenItsChainGoesPublic() public {
        uint256[] memory none = new uint256[](0);
        bytes32 hash = registry.register("circuit", _key());
        vm.assertTrue(registry.verify(hash, proof, none), "31337");
        vm.chainId(1337);
        vm.assertFalse(registry.verify(hash, proof, none), "1337");
        vm.chainId(59141);
        vm.assertFalse(registry.verify(hash, proof, none), "59141");
    }

    function test_attack16_aKeyWithDeltaMinusGamma_isAsForgeable() public {
        bytes memory key = _key();
        bytes memory negated = abi.encode(BN254.NEG_G2_Y1, BN254.NEG_G2_Y0);
        for (uint256 i = 0; i < 64; ++i) key[384 + i] = negated[i];
        vm.chainId(59141);
        vm.expectRevert(
            abi.encodeWithSelector(IVerifierRegistry.DevelopmentKeyOnPublicChain.selector, uint256(59141))
        );
        registry.register("circuit", key);
    }

    function _key() private pure returns (bytes memory) {
        bytes memory g2 = abi.encode(
            BN254.NEG_G2_X1,
            BN254.NEG_G2_X0,
            BN254.P - BN254.NEG_G2_Y1,
            BN254.P - BN254.NEG_G2_Y0
        );
        return abi.encodePacked(uint256(1), uint256(2), g2, g2, g2, uint256(1), uint256(2));
    }
}
