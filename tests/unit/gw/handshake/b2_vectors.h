// SPDX-License-Identifier: BSD-3-Clause
// Made by b2_vectors.py, which shares nothing with postern. Bytes are hexadecimal.

// clang-format off
static const struct {
	const char *name;
	enum aead_alg alg;
	uint64_t device_number, count, now_s;
	const char *secret, *salt, *device, *gateway, *mac_key, *id1, *id3, *r2;
	const char *request_1, *response_1, *request_2;
	const char *recipient_key, *sender_key, *common_iv;
} vectors[] = {
	{
		.name = "usual",
		.alg = AEAD_AES_CCM_16_64_128,
		.device_number = 77,
		.count = 3,
		.now_s = 60007,
		.secret =
			"fd98179685123ed57033428345de6484",
		.salt =
			"53e1f5ef37566360",
		.device =
			"01",
		.gateway =
			"02",
		.mac_key =
			"d2ac9ac86f3b3fed3e0ea23e21b745a64c66934f041dd2a36f7555da01d92506",
		.id1 =
			"d47107578f86059c",
		.id3 =
			"ea69228e4e8d105d3c1dff5c3f3704f88d4abd2c138a94eb",
		.r2 =
			"ea69228e4e8d105d3c1dff5c3f3704f8",
		.request_1 =
			"44021234d7480ef09d0019000948d47107578f86059c01ff265369da500c5c05496a92",
		.response_1 =
			"64441234d7480ef09d0819001150ea69228e4e8d105d3c1dff5c3f3704f802ff3b7d4b88"
			"a37b46fae2",
		.request_2 =
			"44021235d7480ef09d1119011a5818ea69228e4e8d105d3c1dff5c3f3704f88d4abd2c13"
			"8a94eb01ffb136729d2be144dd01e49c",
		.recipient_key =
			"3f3db79f397d48c7b5a79ff4735beb01",
		.sender_key =
			"da917b889ac1ea72e0a4ef7ca161c810",
		.common_iv =
			"fa9d875a641cad6a2bc7ce32eb",
	},
	{
		.name = "long ids",
		.alg = AEAD_AES_CCM_16_64_128,
		.device_number = 77,
		.count = 3,
		.now_s = 60007,
		.secret =
			"f01d2f5239a0129b3af253a09d64e080",
		.salt =
			"",
		.device =
			"73656e736f7237",
		.gateway =
			"67617465776179",
		.mac_key =
			"b35a269ab42b5621be9eaf4cd7bc9c936dfa54c9837e3b221cc4b693203d68b7",
		.id1 =
			"8ea8319c50063de8d22ec132c93a1c6668f7298253bc33d078ab0c89eb19df7b062adc93"
			"cbb5aa5141ec648977dafa20",
		.id3 =
			"f2b42d0295be5f7bd4f86b7a57c98db26fa210384edb8d55b55127fa7bcd554dd6361cfb"
			"e0f3fd5db738ed179912890e345c65e41160a95932a3e8b22e830958",
		.r2 =
			"f2b42d0295be5f7bd4f86b7a57c98db2",
		.request_1 =
			"44021234b5f6f18f9d2f19053258308ea8319c50063de8d22ec132c93a1c6668f7298253"
			"bc33d078ab0c89eb19df7b062adc93cbb5aa5141ec648977dafa2073656e736f7237ff71"
			"c68387f109394390a8ce",
		.response_1 =
			"64441234b5f6f18f9d0e19001150f2b42d0295be5f7bd4f86b7a57c98db2676174657761"
			"79ff7bdb436c9cd98653d0",
		.request_2 =
			"44021235b5f6f18f9d3f1901425840f2b42d0295be5f7bd4f86b7a57c98db26fa210384e"
			"db8d55b55127fa7bcd554dd6361cfbe0f3fd5db738ed179912890e345c65e41160a95932"
			"a3e8b22e83095873656e736f7237ffaee0102a6731d4c788d6d6",
		.recipient_key =
			"2d556669f1c488d40024f6a07f9d03a8",
		.sender_key =
			"c95999b4ae9c048ea8fdc17350a7e440",
		.common_iv =
			"8f77fff765ef8fc6975602a5d9",
	},
	{
		.name = "no kid, r3 is r1, non",
		.alg = AEAD_AES_128_GCM,
		.device_number = 77,
		.count = 3,
		.now_s = 60007,
		.secret =
			"cf4a44da026b0c2527d5629bcf59c6ed",
		.salt =
			"6e",
		.device =
			"",
		.gateway =
			"07",
		.mac_key =
			"03d7bfd4d901a9117a4dcf504d757c8644f0e46617141972cd25c87d2fb52bd9",
		.id1 =
			"1ab074694059676a740d64f452d7b1f47a95fc1303480d",
		.id3 =
			"6d0fae2ebf06ee681b96aa9be7a3d4a31ab074694059676a740d64f452d7b1f47a95fc13"
			"03480d",
		.r2 =
			"6d0fae2ebf06ee681b96aa9be7a3d4a3",
		.request_1 =
			"5402123453264f309d0f1a010018571ab074694059676a740d64f452d7b1f47a95fc1303"
			"480dffe780b8f2751149c4d684e40f38522913e0a49a",
		.response_1 =
			"5444000053264f309d08190011506d0fae2ebf06ee681b96aa9be7a3d4a307ffb9606ea5"
			"56f7df80f0f4c1c01a00b05de0",
		.request_2 =
			"5402123553264f309d1f19012958276d0fae2ebf06ee681b96aa9be7a3d4a31ab0746940"
			"59676a740d64f452d7b1f47a95fc1303480dffabfd029852fa9af99a295eaf113dd50c0c"
			"8565",
		.recipient_key =
			"c2192d8bb18817434257f7b9a4629e5d",
		.sender_key =
			"b3c1fe6d7883eaa2ae0d749574690911",
		.common_iv =
			"7f3e62c580c173d069fb86e8",
	},
	{
		.name = "one byte each",
		.alg = AEAD_CHACHA20_POLY1305,
		.device_number = 77,
		.count = 3,
		.now_s = 60007,
		.secret =
			"489ace2b21d1a07d6b059911d6ce126b",
		.salt =
			"31a10911022c84100924d4e1b7462e33",
		.device =
			"646576",
		.gateway =
			"",
		.mac_key =
			"bad23850b49f9dfbc9e9e754dbfe78595d53d0d55943627f060d4cedcca346c1",
		.id1 =
			"31",
		.id3 =
			"6fc7eac1d2c8d492d5df5a2e131b46d6ff",
		.r2 =
			"6fc7eac1d2c8d492d5df5a2e131b46d6",
		.request_1 =
			"44021234582e13979c1dffffffffff024131646576ff8ac03b859edbee9400db02c85508"
			"085aa53e50",
		.response_1 =
			"64441234582e13979d07190011506fc7eac1d2c8d492d5df5a2e131b46d6ff337543e1d2"
			"68c2d7c9684e5319f27f1d12",
		.request_2 =
			"44021235582e13979d0b190112516fc7eac1d2c8d492d5df5a2e131b46d6ff646576ff18"
			"88dd58610666a3bfe6764e05d9f6eb85a5d9",
		.recipient_key =
			"d9e820d3d7ff82a49e31503e8959da590d3b90bb47c47a711ab2a41e15380b1e",
		.sender_key =
			"0991cb7e9d9ca3bd7cb0bb9ee9ab758f34ec5935a9ad429c7efec56e3ca975ba",
		.common_iv =
			"9227349e38b75a5f2b54a31c",
	},
};
// clang-format on
