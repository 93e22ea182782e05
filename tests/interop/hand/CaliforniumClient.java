// SPDX-License-Identifier: BSD-3-Clause
import java.util.HexFormat;

import org.eclipse.californium.core.CoapClient;
import org.eclipse.californium.core.CoapResponse;
import org.eclipse.californium.core.coap.CoAP.Code;
import org.eclipse.californium.core.coap.CoAP.ResponseCode;
import org.eclipse.californium.core.coap.Request;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.cose.AlgorithmID;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.util.Bytes;
import org.eclipse.californium.oscore.ContextRederivation;
import org.eclipse.californium.oscore.HashMapCtxDB;
import org.eclipse.californium.oscore.OSCoreCoapStackFactory;
import org.eclipse.californium.oscore.OSCoreCtx;

/**
 * A device on Californium's cf-oscore with RFC 8613 appendix B.2. Arguments: URI, then in hex Master
 * Secret, Master Salt, Sender ID, Recipient ID and ID Context. Each line of standard input is an
 * order: "lost" (the context is), "PATH DATA" (a POST, printed with its answer), "body PATH BYTES".
 */
public class CaliforniumClient {
	private static final int TRIES = 3; // request #1, request #2, and one more

	private static byte[] hex(String text) { return HexFormat.of().parseHex(text); }

	public static void main(String[] args) throws Exception {
		CoapConfig.register();
		Configuration config = Configuration.createStandardWithoutFile();
		config.set(CoapConfig.PREFERRED_BLOCK_SIZE, 256);
		config.set(CoapConfig.MAX_MESSAGE_SIZE, 256);
		Configuration.setStandard(config);

		HashMapCtxDB contexts = new HashMapCtxDB();
		OSCoreCtx context = new OSCoreCtx(hex(args[1]), true, AlgorithmID.AES_CCM_16_64_128, hex(args[3]),
			hex(args[4]), AlgorithmID.HKDF_HMAC_SHA_256, 32, hex(args[2]), hex(args[5]), 4096);
		context.setContextRederivationEnabled(true);
		contexts.addContext(args[0], context);
		OSCoreCoapStackFactory.useAsDefault(contexts);

		java.io.BufferedReader orders = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
		for (String line; (line = orders.readLine()) != null;) {
			String[] words = line.split(" ");
			if (words[0].equals("lost")) {
				ContextRederivation.setLostContext(contexts, args[0]);
				continue;
			}
			boolean body = words[0].equals("body");
			String path = words[body ? 1 : 0];
			String data = body ? "x".repeat(Integer.parseInt(words[2])) : words[1];
			System.out.println(post(args[0] + path, data));
			System.out.flush();
		}
		System.exit(0);
	}

	// The answer, and how many requests it took: a 4.01 of a run asks for the request again.
	private static String post(String uri, String data) {
		String said = "";
		for (int n = 1; n <= TRIES; n++) {
			try {
				Request request = new Request(Code.POST);
				request.setPayload(data);
				request.getOptions().setOscore(Bytes.EMPTY);
				CoapResponse answer = new CoapClient(uri).setTimeout(60_000L).advanced(request);
				if (answer == null) {
					said = "no answer";
					continue;
				}
				said = n + " " + answer.getCode() + " " + answer.getResponseText();
				if (answer.getCode() != ResponseCode.UNAUTHORIZED)
					return said;
			} catch (Exception error) {
				said = n + " " + error;
			}
		}
		return said;
	}
}
