// SPDX-License-Identifier: BSD-3-Clause
// The traces of RFC 9529: method 0 with suite 0 and certificates (section 2), method 3 with suite 2
// and CCS by kid (section 3), and messages that are invalid (section 4).

#ifndef POSTERN_TESTS_UNIT_GW_EDHOC_TRACES_H
#define POSTERN_TESTS_UNIT_GW_EDHOC_TRACES_H

// In hexadecimal.
struct trace {
	const char *x;
	const char *g_x;
	const char *c_i;
	const char *message_1;
	const char *y;
	const char *g_y;
	const char *c_r;
	const char *th_2;
	const char *sk_r;
	const char *id_cred_r;
	const char *cred_r;
	const char *plaintext_2;
	const char *message_2;
	const char *sk_i;
	const char *id_cred_i;
	const char *cred_i;
	const char *th_3;
	const char *prk_4e3m;
	const char *plaintext_3;
	const char *message_3;
	const char *th_4;
	const char *message_4;
	const char *prk_out;
	const char *secret;
	const char *salt;
};

// Section 2.
static const struct trace trace_signatures = {
	.x = "892ec28e5cb6669108470539500b705e60d008d347c5817ee9f3327c8a87bb03",
	.g_x = "31f82c7b5b9cbbf0f194d913cc12ef1532d328ef32632a4881a1c0701e237f04",
	.c_i = "2d",
	.message_1 = "0000582031f82c7b5b9cbbf0f194d913cc12ef1532d328ef32632a4881a1c0701e237f04"
		     "2d",
	.y = "e69c23fbf81bc435942446837fe827bf206c8fa10a39db47449e5a813421e1e8",
	.g_y = "dc88d2d51da5ed67fc4616356bc8ca74ef9ebe8b387e623a360ba480b9b29d1c",
	.c_r = "18",
	.th_2 = "c6405c154c567466ab1df20369500e540e9f14bd3a796a0652cae66c9061688d",
	.sk_r = "ef140ff900b0ab03f0c08d879cbbd4b31ea71e6e7ee7ffcb7e7955777a332799",
	.id_cred_r = "a11822822e4879f2a41b510c1f9b",
	.cred_r = "58f13081ee3081a1a003020102020462319ec4300506032b6570301d311b301906035504"
		  "030c124544484f4320526f6f742045643235353139301e170d3232303331363038323433"
		  "365a170d3239313233313233303030305a30223120301e06035504030c174544484f4320"
		  "526573706f6e6465722045643235353139302a300506032b6570032100a1db47b9518485"
		  "4ad12a0c1a354e418aace33aa0f2c662c00b3ac55de92f9359300506032b6570034100b7"
		  "23bc01eab0928e8b2b6c98de19cc3823d46e7d6987b032478fecfaf14537a1af14cc8be8"
		  "29c6b73044101837eb4abc949565d86dce51cfae52ab82c152cb02",
	.plaintext_2 = "4118a11822822e4879f2a41b510c1f9b5840c3b5bd44d1e44a085c03d3aede4e1e6c11c5"
		       "72a1968cc3629b505f98c681608d3d1de793d1c40eb5dd5d89acf1966aea07022b48cdc9"
		       "9870ebc40374e8fa6e09",
	.message_2 = "5872dc88d2d51da5ed67fc4616356bc8ca74ef9ebe8b387e623a360ba480b9b29d1cbc26"
		     "dd270fe9c02c44ce3934794b1cc62ba22f05459f8d358c8d12275ac42c5f96ded5f13cc9"
		     "084e5b201889a45e5a60a5562dc118619c3daa2fd9f4c9f4d6edad109dd4edf95962aafb"
		     "af9ab3f4a1f6b98f",
	.sk_i = "4c5b25878f507c6b9dae68fbd4fd3ff997533db0af00b25d324ea28e6c213bc8",
	.id_cred_i = "a11822822e48c24ab2fd7643c79f",
	.cred_i = "58f13081ee3081a1a003020102020462319ea0300506032b6570301d311b301906035504"
		  "030c124544484f4320526f6f742045643235353139301e170d3232303331363038323430"
		  "305a170d3239313233313233303030305a30223120301e06035504030c174544484f4320"
		  "496e69746961746f722045643235353139302a300506032b6570032100ed06a8ae61a829"
		  "ba5fa54525c9d07f48dd44a302f43e0f23d8cc20b73085141e300506032b657003410052"
		  "1241d8b3a770996bcfc9b9ead4e7e0a1c0db353a3bdf2910b39275ae48b756015981850d"
		  "27db6734e37f67212267dd05eeff27b9e7a813fa574b72a00b430b",
	.th_3 = "5b7df9b4f58f240ce0418e48191b5fff3a22b5ca57f669b16777996592e928bc",
	.prk_4e3m = "d584ac2e5dad5a77d14b53ebe72ef1d5daa8860d399373bf2c240afa7ba804da",
	.plaintext_3 = "a11822822e48c24ab2fd7643c79f584096e1cd5fceadfac1b5af819443f70924f5719955"
		       "957fd02655beb4775e1a73186a0d1d3ea683f08f8d03dcecb9cf154e1c6f555a1e12ca11"
		       "8ce42bdba6878907",
	.message_3 = "585825c345884aaaeb22c527f9b1d2b6787207e0163c69b62a0d43928150427203c31674"
		     "e4514ea6e383b566eb29763efeb0afa518776ae1c65f856d84bf32af3a7836970466dcb7"
		     "1f76745d39d3025e7703e0c032ebad51947c",
	.th_4 = "0eb868f263cf3555dccd396dd8dec29d3750d599be42d5a41a5a37c896f294ac",
	.message_4 = "484f0edee366e5c883",
	.prk_out = "b744cb7d8a87cc0447c3350e165b250dab12ec453325abb922b30307e5c368f0",
	.secret = "1e1c6beac3a8a1cac435de7e2f9ae7ff",
	.salt = "ce7ab844c0106d73",
};

// Section 3.
static const struct trace trace_static_dh = {
	.x = "368ec1f69aeb659ba37d5a8d45b21bdc0299dceaa8ef235f3ca42ce3530f9525",
	.g_x = "8af6f430ebe18d34184017a9a11bf511c8dff8f834730b96c1b7c8dbca2fc3b6",
	.c_i = "37",
	.message_1 = "0382060258208af6f430ebe18d34184017a9a11bf511c8dff8f834730b96c1b7c8dbca2f"
		     "c3b637",
	.y = "e2f4126777205e853b437d6eaca1e1f753cdcc3e2c69fa884b0a1a640977e418",
	.g_y = "419701d7f00a26c2dc587a36dd752549f33763c893422c8ea0f955a13a4ff5d5",
	.c_r = "27",
	.th_2 = "356efd53771425e008f3fe3a86c83ff4c6b16e57028ff39d5236c182b202084b",
	.sk_r = "72cc4761dbd4c78f758931aa589d348d1ef874a7e303ede2f140dcf3e6aa4aac",
	.id_cred_r = "a1044132",
	.cred_r = "a2026b6578616d706c652e65647508a101a501020241322001215820bbc34960526ea4d3"
		  "2e940cad2a234148ddc21791a12afbcbac93622046dd44f02258204519e257236b2a0ce2"
		  "023f0931f1f386ca7afda64fcde0108c224c51eabf6072",
	.plaintext_2 = "2732480943305c899f5c54",
	.message_2 = "582b419701d7f00a26c2dc587a36dd752549f33763c893422c8ea0f955a13a4ff5d59862"
		     "a1eef9e0e7e1886fcd",
	.sk_i = "fb13adeb6518cee5f88417660841142e830a81fe334380a953406a1305e8706b",
	.id_cred_i = "a104412b",
	.cred_i = "a2027734322d35302d33312d46462d45462d33372d33322d333908a101a5010202412b20"
		  "01215820ac75e9ece3e50bfc8ed60399889522405c47bf16df96660a41298cb4307f7eb6"
		  "2258206e5de611388a4b8a8211334ac7d37ecb52a387d257e6db3c2a93df21ff3affc8",
	.th_3 = "adaf67a78a4bcc91e018f8882762a722000b2507039df0bc1bbf0c161bb3155c",
	.prk_4e3m = "81cc8a298e357044e3c466bb5c0a1e507e01d49238aeba138df94635407c0ff7",
	.plaintext_3 = "2b48623c91df41e34c2f",
	.message_3 = "52e562097bc417dd5919485ac7891ffd90a9fc",
	.th_4 = "c902b1e3a4326c93c5551f5f3aa6c5ecc0246806765612e52b5d99e6059d6b6e",
	.message_4 = "4828c966b7ca304f83",
	.prk_out = "2c71afc1a9338a940bb3529ca734b886f30d1aba0b4dc51beeaeabdfea9ecbf8",
	.secret = "f9868f6a3aca78a05d1485b35030b162",
	.salt = "ada24c7dbfc85eeb",
};

// Section 3: the first message_1, with a suite that the Responder does not have, and its answer.
#define TRACE_FIRST_MESSAGE_1                                                      \
	"03065820741a13d7ba048fbb615e94386aa3b61bea5b3d8f65f32620b749bee8d278efa9" \
	"0e"
#define TRACE_ERROR "0202"

// Section 4. What each must be refused with.
static const struct {
	const char *title, *message_1;
	enum edhoc_result result;
} traces_message_1[] = {
	{"surplus array encoding of message",
		"8403025820741a13d7ba048fbb615e94386aa3b61bea5b3d8f65f32620b749bee8d278ef"
		"a90e",
		EDHOC_MALFORMED},
	{"surplus bstr encoding of connection identifier",
		"03025820741a13d7ba048fbb615e94386aa3b61bea5b3d8f65f32620b749bee8d278efa9"
		"410e",
		EDHOC_MALFORMED},
	{"surplus array encoding of ciphersuite",
		"0381025820741a13d7ba048fbb615e94386aa3b61bea5b3d8f65f32620b749bee8d278ef"
		"a90e",
		EDHOC_MALFORMED},
	{"text string encoding of ephemeral key",
		"0302782020616972207370656564206f66206120756e6c6164656e207377616c6c6f7720"
		"0e",
		EDHOC_MALFORMED},
	{"error in length of ephemeral key",
		"03820218185820741a13d7ba048fbb615e94386aa3b61bea5b3d8f65f32620b749bee8d2"
		"78efa90e",
		EDHOC_SUITE},
	{"error in elliptic curve representation",
		"03025820ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
		"0e",
		EDHOC_KEY},
	{"error in elliptic curve point",
		"03025820a04e73601df544a70ba7ea1e57030f7d4b4eb7f673924e58d54ca77a5e7d4d4a"
		"0e",
		EDHOC_KEY},
	{"curve point of low order",
		"03005820edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
		"0e",
		EDHOC_KEY},
	{"error in elliptic curve encoding",
		"0302581fd9697725d23a688b12d1c7e0108a08c9f71a85a09c20814976ab21122248fc0e",
		EDHOC_KEY},
	{"unnecessary long encoding",
		"190003025820741a13d7ba048fbb615e94386aa3b61bea5b3d8f65f32620b749bee8d278"
		"efa90e",
		EDHOC_MALFORMED},
	{"indefinite-length array encoding",
		"039f0602ff5820741a13d7ba048fbb615e94386aa3b61bea5b3d8f65f32620b749bee8d2"
		"78efa90e",
		EDHOC_MALFORMED},
};

#define TRACE_MESSAGE_2_OF_TWO                                                     \
	"5820419701d7f00a26c2dc587a36dd752549f33763c893422c8ea0f955a13a4ff5d54b98" \
	"62a11de42a95d785386a"

static const char *const traces_plaintext_2[] = {
	"27a10442321048fa5efa2ebf920bf3", // surplus map encoding of id_cred field
	"27413248fa5efa2ebf920bf3",       // surplus bstr encoding of id_cred field
	"273244fa5efa2e",                 // error in length of mac
};

#endif
