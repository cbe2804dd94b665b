#!/usr/bin/env python3
"""Make small GGUF models (llama architecture) for tests and speed measurements.

No weights are downloaded: everything is generated from a seed, so a file is
reproducible byte for byte from (preset, dtype, seed, flags).

    pip install gguf numpy
    make_tiny_gguf.py OUT.gguf --preset tiny|small|bench --dtype f32|f16|q8_0|q4_0
                      [--scripted [--calls CALLS.json [--text-calls]]] [--context 65536] [--seed 1]

Presets (llama arch, GQA, SwiGLU, RoPE, untied output):
    tiny   ~0.9 M parameters  (d=128,  2 layers,  vocab 2048)   unit / CI tests, 1-4 MB
    small  ~  9 M parameters  (d=256,  8 layers,  vocab 4096)
    bench  ~125 M parameters  (d=768, 12 layers,  vocab 32000)  speed measurement

Two kinds of weights:
  * default: plain random weights. Output is noise; right for speed.
  * --scripted: a REAL model file whose reply is fixed and readable. Attention and FFN
    write zero into the residual stream (attn_output = ffn_down = 0), every token has a
    near-orthogonal embedding, and output row pi(t) is the embedding of t: a bigram
    machine. All the compute still happens, the engine is not mocked, but greedy (and
    low-temperature) decoding gives a known answer and then the end-of-turn token.
        --calls, tools given, and fewer tool results since the last user turn than there are scripted calls
                                -> the next scripted call: <tool_call>{"name": ..., "arguments": ...}</tool_call>
        otherwise               -> "Hello! I am a tiny scripted model, and I end my turn here."
    --calls takes a JSON list of {"name": ..., "arguments": {...}}, at most 9: a whole task with a
    known sequence of calls. With --text-calls its template knows neither tools nor their roles and refuses whatever is
    no strict alternation of user and assistant: the calls are made when the instructions hold "<tool_call>", and what
    a user message brings that begins with "[result of " or "[error of " counts as a result.
    So streaming, stop reasons, usage counts, tool-call parsing, prefix reuse and session
    restore can be asserted exactly, against llama-server, LM Studio, Ollama or an embedded
    engine alike, with a file of about 1 MB made on the spot in a second.

Tokens: the 256 bytes, special and scripted pieces, and common English words as BPE tokens of
several bytes, so that English costs about 3 bytes a token and a prompt's token count is not
its byte count.

What llama.cpp needs of a llama-arch GGUF
  metadata: general.architecture=llama, llama.context_length, llama.embedding_length,
    llama.block_count, llama.feed_forward_length, llama.attention.head_count,
    llama.attention.head_count_kv, llama.attention.layer_norm_rms_epsilon,
    llama.rope.dimension_count, llama.rope.freq_base, llama.vocab_size,
    tokenizer.ggml.model=gpt2, tokenizer.ggml.pre (which regex splits text),
    tokenizer.ggml.tokens / token_type / merges, bos/eos/padding_token_id,
    add_bos_token, tokenizer.chat_template (Jinja)
  tensors: token_embd.weight, output_norm.weight, output.weight (absent = tied) and for each
    block i: blk.i.attn_norm, attn_q, attn_k, attn_v, attn_output, ffn_norm, ffn_gate,
    ffn_up, ffn_down (all ".weight"). Norms are F32. numpy shape is (out, in).
"""
import argparse
import json

import gguf
import numpy as np

PRESETS = {
    #         d    layers ffn   heads kv vocab  ctx
    "tiny":  (128,  2,    384,   4,   2,  2048,  8192),
    "small": (256,  8,    768,   8,   4,  4096,  8192),
    "bench": (768, 12,   2048,  12,   4, 32000, 32768),
}

# Qwen/Hermes-style ChatML with <tool_call> blocks; own wording.
CHAT_TEMPLATE = (
    "{%- if tools %}"
    "{{- '<|im_start|>system\\n' }}"
    "{%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}"
    "{{- '# Tools\\n\\nYou may call functions. Signatures, in <tools></tools>:\\n<tools>' }}"
    "{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}"
    "{{- '\\n</tools>\\n\\nFor each call return a JSON object within <tool_call></tool_call> tags:\\n<tool_call>\\n"
    "{\"name\": <function-name>, \"arguments\": <args-json-object>}\\n</tool_call><|im_end|>\\n' }}"
    "{%- elif messages[0].role == 'system' %}"
    "{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}"
    "{%- endif %}"
    "{%- for message in messages %}"
    "{%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- elif message.role == 'assistant' %}"
    "{{- '<|im_start|>assistant\\n' }}"
    "{%- if message.content %}{{- message.content }}{%- endif %}"
    "{%- if message.tool_calls %}{%- for tool_call in message.tool_calls %}"
    "{%- if (loop.first and message.content) or not loop.first %}{{- '\\n' }}{%- endif %}"
    "{%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}"
    "{{- '<tool_call>\\n{\"name\": \"' }}{{- tool_call.name }}{{- '\", \"arguments\": ' }}"
    "{%- if tool_call.arguments is string %}{{- tool_call.arguments }}{%- else %}{{- tool_call.arguments | tojson }}{%- endif %}"
    "{{- '}\\n</tool_call>' }}{%- endfor %}{%- endif %}"
    "{{- '<|im_end|>\\n' }}"
    "{%- elif message.role == 'tool' %}"
    "{%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{- '<|im_start|>user' }}{%- endif %}"
    "{{- '\\n<tool_response>\\n' + message.content + '\\n</tool_response>' }}"
    "{%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{- '<|im_end|>\\n' }}{%- endif %}"
    "{%- endif %}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|im_start|>assistant\\n' }}"
    "{%- if tools %}{%- set seen = namespace(results=0) %}"
    "{%- for message in messages %}{%- if message.role == 'user' %}{%- set seen.results = 0 %}"
    "{%- elif message.role == 'tool' %}{%- set seen.results = seen.results + 1 %}{%- endif %}{%- endfor %}"
    "{%- if seen.results < CALL_COUNT %}{{- '<|tool_turn_' ~ seen.results ~ '|>' }}{%- endif %}{%- endif %}"
    "{%- endif %}"
)

# A strict template that has never heard of tools.
TEXT_TEMPLATE = (
    "{%- set seen = namespace(results=0, told=false, last='assistant') %}"
    "{%- for message in messages %}"
    "{%- if message.role == 'system' %}"
    "{%- if not loop.first %}{{- raise_exception('System message must be at the beginning.') }}{%- endif %}"
    "{%- if '<tool_call>' in message.content %}{%- set seen.told = true %}{%- endif %}"
    "{%- elif message.role not in ['user', 'assistant'] or message.tool_calls or message.role == seen.last %}"
    "{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{%- else %}"
    "{%- set seen.last = message.role %}"
    "{%- if message.role == 'user' %}"
    "{%- if message.content.startswith('[result of ') or message.content.startswith('[error of ') %}"
    "{%- set seen.results = seen.results + 1 %}{%- else %}{%- set seen.results = 0 %}{%- endif %}{%- endif %}"
    "{%- endif %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|im_start|>assistant\\n' }}"
    "{%- if seen.told and seen.results < CALL_COUNT %}{{- '<|tool_turn_' ~ seen.results ~ '|>' }}{%- endif %}"
    "{%- endif %}"
)

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# each piece is one token and occurs once in its chain (a bigram machine needs that)
REPLY = ["Hello!", " I am", " a tiny", " scripted", " model,", " and I", " end my", " turn here."]

# Words that become tokens with their leading space.
WORDS = """
the of and a to in is you that it he was for on are as with his they I at be this have from or one had by word but not
what all were we when your can said there use an each which she do how their if will up other about out many then them
these so some her would make like him into time has look two more write go see number no way could people my than first
water been call who oil its now find long down day did get come made may part over new sound take only little work know
place year live me back give most very after thing our just name good sentence man think say great where help through
much before line right too mean old any same tell boy follow came want show also around form three small set put end
does another well large must big even such because turn here why ask went men read need land different home us move try
kind hand picture again change off play spell air away animal house point page letter mother answer found study still
learn should world message number model system answer question server token context window prompt request response user
assistant language machine memory file local private agent conversation history summary text
""".split()


def scripted_chains(calls):
    """One chain of pieces per scripted call. A bigram machine has no memory, so no two chains may share a piece
    whose successor differs: the first call uses the wrapper tag as one token, each further one
    cuts the tag at a place of its own and says the rest in one token.
    "<tool_call>" must be a token by itself: llama-server refuses a grammar trigger word ("<tool_call>\\n")
    that happens to be one token but is not in its list of preserved tokens ("<tool_call>")."""
    chains = []
    tag, close = "<tool_call>", "</tool_call>"
    for number, call in enumerate(calls):
        body = "\n" + json.dumps({"name": call["name"], "arguments": call["arguments"]}) + "\n"
        if number == 0:
            chains.append([tag, body, close])
        else:
            cut = number + 1
            assert cut < len(tag), "at most 9 scripted calls"
            chains.append([tag[:cut], tag[cut:] + body, close])
    return chains


def byte_to_unicode():
    """GPT-2's printable stand-ins for the 256 bytes."""
    bs = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    cs = bs[:]
    n = 0
    for b in range(256):
        if b not in bs:
            bs.append(b)
            cs.append(256 + n)
            n += 1
    return {b: chr(c) for b, c in zip(bs, cs)}


def vocabulary(size, chains):
    b2u = byte_to_unicode()
    T = gguf.TokenType
    tokens, types = [], []

    def add(text, kind):
        tokens.append(text)
        types.append(int(kind))
        return len(tokens) - 1

    ids = {}
    for b in range(256):
        add(b2u[b], T.NORMAL)
    for s in SPECIAL + [f"<|tool_turn_{number}|>" for number in range(len(chains))]:
        ids[s] = add(s, T.CONTROL)
    # scripted pieces: USER_DEFINED, so the same text in a later prompt maps back to the same
    # single token and the KV prefix of the conversation stays identical. Raw text, not byte-coded.
    # The tags of a call are tokens of such models, whether one is scripted or not.
    for s in REPLY + ["<tool_call>", "</tool_call>"] + [piece for chain in chains for piece in chain]:
        if s not in ids:
            ids[s] = add(s, T.USER_DEFINED)
    merges = []
    enc = lambda s: "".join(b2u[c] for c in s.encode())
    known = set(tokens)
    for word in WORDS:
        # every prefix of " word", so that each merge joins a token that exists with one more byte
        spelled = enc(" " + word)
        for length in range(2, len(spelled) + 1):
            left, right, whole = spelled[: length - 1], spelled[length - 1], spelled[:length]
            if whole not in known:
                merges.append(f"{left} {right}")
                known.add(whole)
                add(whole, T.NORMAL)
    while len(tokens) < size:
        add(f"[unused{len(tokens)}]", T.UNUSED if size <= 4096 else T.NORMAL)
    assert len(tokens) == size
    return tokens, types, merges, ids


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("--preset", default="tiny", choices=PRESETS)
    ap.add_argument("--dtype", default="f16", choices=["f32", "f16", "q8_0", "q4_0"])
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--scripted", action="store_true")
    ap.add_argument("--name", default=None)
    ap.add_argument("--context", type=int, default=None, help="window in tokens, instead of the preset's")
    ap.add_argument("--calls", default=None, help="JSON file: list of scripted calls")
    ap.add_argument("--text-calls", action="store_true", help="a template without tools")
    a = ap.parse_args()
    d, n_layer, ffn, n_head, n_kv, vocab, ctx = PRESETS[a.preset]
    head = d // n_head
    rng = np.random.default_rng(a.seed)
    chains = scripted_chains(json.load(open(a.calls)) if a.calls else [])
    tokens, types, merges, ids = vocabulary(vocab, chains)

    w = gguf.GGUFWriter(a.out, "llama")
    w.add_name(a.name or f"{'scripted' if a.scripted else 'random'}-{a.preset}")
    w.add_license("CC0-1.0")
    w.add_context_length(a.context or ctx)
    w.add_embedding_length(d)
    w.add_block_count(n_layer)
    w.add_feed_forward_length(ffn)
    w.add_head_count(n_head)
    w.add_head_count_kv(n_kv)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(head)
    w.add_rope_freq_base(10000.0)
    w.add_vocab_size(vocab)
    w.add_file_type({"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 7}[a.dtype])
    w.add_quantization_version(2)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_merges(merges)
    w.add_bos_token_id(ids["<|endoftext|>"])
    w.add_eos_token_id(ids["<|im_end|>"])
    w.add_pad_token_id(ids["<|endoftext|>"])
    w.add_add_bos_token(False)
    w.add_chat_template((TEXT_TEMPLATE if a.text_calls else CHAT_TEMPLATE).replace("CALL_COUNT", str(len(chains))))

    Q = gguf.GGMLQuantizationType
    qt = {"f32": Q.F32, "f16": Q.F16, "q8_0": Q.Q8_0, "q4_0": Q.Q4_0}[a.dtype]
    count = 0

    def put(name, x, keep_f32=False):
        nonlocal count
        count += x.size
        x = np.ascontiguousarray(x, dtype=np.float32)
        if keep_f32 or qt == Q.F32:
            w.add_tensor(name, x)
        elif qt == Q.F16:
            w.add_tensor(name, x.astype(np.float16))
        else:
            w.add_tensor(name, gguf.quants.quantize(x, qt), raw_dtype=qt)

    def rand(o, i, std=0.02):
        return rng.standard_normal((o, i), dtype=np.float32) * std

    ones = np.ones(d, np.float32)
    embd = rand(vocab, d)
    outw = rand(vocab, d)
    if a.scripted:
        embd = rng.standard_normal((vocab, d), dtype=np.float32)
        embd /= np.linalg.norm(embd, axis=1, keepdims=True)
        end = ids["<|im_end|>"]
        nxt = {}
        for chain in [REPLY] + chains:
            for x, y in zip(chain, chain[1:]):
                assert nxt.get(ids[x], ids[y]) == ids[y], f"two chains go on differently after {x!r}"
                nxt[ids[x]] = ids[y]
            nxt[ids[chain[-1]]] = end
        for number, chain in enumerate(chains):
            nxt[ids[f"<|tool_turn_{number}|>"]] = ids[chain[0]]
        outw = np.zeros((vocab, d), np.float32)
        for t, u in nxt.items():
            outw[u] += embd[t]
        # a prompt ends with "\n", which leads to the start of the reply
        outw[ids[REPLY[0]]] += embd[tokens.index(byte_to_unicode()[10])]
        # RMS norm scales a unit embedding to length sqrt(d): own logit ~ 2*sqrt(d), others ~ N(0, 2)
        outw *= 2.0
    put("token_embd.weight", embd)
    put("output_norm.weight", ones, True)
    put("output.weight", outw)
    for i in range(n_layer):
        p = f"blk.{i}."
        put(p + "attn_norm.weight", ones, True)
        put(p + "attn_q.weight", rand(n_head * head, d))
        put(p + "attn_k.weight", rand(n_kv * head, d))
        put(p + "attn_v.weight", rand(n_kv * head, d))
        put(p + "attn_output.weight", np.zeros((d, d), np.float32) if a.scripted else rand(d, d))
        put(p + "ffn_norm.weight", ones, True)
        put(p + "ffn_gate.weight", rand(ffn, d))
        put(p + "ffn_up.weight", rand(ffn, d))
        put(p + "ffn_down.weight", np.zeros((d, ffn), np.float32) if a.scripted else rand(d, ffn))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    print(f"{a.out}: {count/1e6:.2f} M parameters, {a.dtype}, vocab {vocab}")


if __name__ == "__main__":
    main()
