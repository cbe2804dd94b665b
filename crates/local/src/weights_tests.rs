use crate::weights::{bits_of, parameters_in, quantization_in};

#[test]
fn size_is_read_off_the_names_people_use() {
    let cases = [
        ("7B", Some(7.0)),
        ("30B-A3B", Some(30.0)),
        ("qwen2.5-0.5b-instruct", Some(0.5)),
        ("qwen/qwen3:8b@q4_k_m", Some(8.0)),
        ("mixtral-8x7b", Some(56.0)),
        ("gemma-3n-e4b-it", Some(4.0)),
        ("494M", Some(0.494)),
        ("gpt-oss-120b-MXFP4", Some(120.0)),
        ("llama-3.2-vision", None),
        ("glm-4.6", None),
        ("web-b", None),
    ];
    for (name, expected) in cases {
        assert_eq!(parameters_in(name), expected, "{name}");
    }
}

#[test]
fn quantisation_is_read_off_the_names_people_use() {
    let cases = [
        ("qwen/qwen3:8b@q4_k_m", Some("Q4_K_M"), Some(4.8)),
        ("/models/gpt-oss-20b-MXFP4.gguf", Some("MXFP4"), Some(4.3)),
        ("mlx-community/Llama-3.2-1B-Instruct-4bit", Some("4BIT"), Some(4.0)),
        ("Qwen3-30B-A3B-UD-Q2_K_XL.gguf", Some("Q2_K_XL"), Some(2.9)),
        ("Qwen2.5-7B-IQ2_XXS", Some("IQ2_XXS"), Some(2.1)),
        ("Mistral-7B-AWQ", Some("AWQ"), Some(4.3)),
        ("model-bf16", Some("BF16"), Some(16.0)),
        ("qwen3-8b", None, None),
    ];
    for (name, quantization, bits) in cases {
        let found = quantization_in(name);
        assert_eq!(found.as_deref(), quantization, "{name}");
        assert_eq!(found.as_deref().and_then(bits_of), bits, "{name}");
    }
}

#[test]
fn reported_names_outside_the_table_still_give_bits() {
    let cases =
        [("Q4_K_XL", Some(4.0)), ("fp8", Some(8.0)), ("int4", Some(4.0)), ("F32", Some(32.0)), ("unknown", None), ("8bit", Some(8.0))];
    for (name, bits) in cases {
        assert_eq!(bits_of(name), bits, "{name}");
    }
}
