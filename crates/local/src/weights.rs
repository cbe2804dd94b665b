//! Size and fineness of a model, read off names: what LM Studio, Ollama and file names call them.

use crate::model::Weights;

/// Bits per weight that the usual quantisations really take, scales included (llama.cpp's own figures, rounded).
/// Longer names before their prefixes.
const KNOWN_BITS: [(&str, f64); 32] = [
    ("IQ1_S", 1.6),
    ("IQ1_M", 1.8),
    ("IQ2_XXS", 2.1),
    ("IQ2_XS", 2.3),
    ("IQ2_S", 2.5),
    ("IQ2_M", 2.7),
    ("IQ3_XXS", 3.1),
    ("IQ3_XS", 3.3),
    ("IQ3_S", 3.4),
    ("IQ3_M", 3.7),
    ("IQ4_XS", 4.3),
    ("IQ4_NL", 4.5),
    ("Q2_K", 2.9),
    ("Q3_K_S", 3.5),
    ("Q3_K_M", 3.9),
    ("Q3_K_L", 4.2),
    ("Q4_K_S", 4.6),
    ("Q4_K_M", 4.8),
    ("Q4_0", 4.6),
    ("Q4_1", 5.1),
    ("Q5_K_S", 5.5),
    ("Q5_K_M", 5.7),
    ("Q5_0", 5.5),
    ("Q5_1", 6.0),
    ("Q6_K", 6.6),
    ("Q8_0", 8.5),
    ("MXFP4", 4.3),
    ("NVFP4", 4.5),
    ("AWQ", 4.3),
    ("GPTQ", 4.3),
    ("BF16", 16.0),
    ("F16", 16.0),
];

impl Weights {
    /// What a model's id tells: `qwen3-30b-a3b@q4_k_m`, `Llama-3.2-1B-Instruct-4bit`.
    pub(crate) fn of_name(name: &str) -> Self {
        let quantization = quantization_in(name);
        Self {
            parameters: parameters_in(name),
            bits_per_weight: quantization.as_deref().and_then(bits_of),
            quantization,
            size_bytes: None,
            variants: Vec::new(),
        }
    }

    /// Takes the quantisation's name, and its usual bits unless they are known better.
    pub(crate) fn quantized(&mut self, name: &str, reported_bits: Option<f64>) {
        self.bits_per_weight = reported_bits.filter(|bits| *bits > 0.0).or_else(|| bits_of(name)).or(self.bits_per_weight);
        self.quantization = Some(name.to_owned());
    }

    /// Bytes of memory for the weights alone: the file's size, else parameters times bits.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.size_bytes.or_else(|| Some((self.parameters? * 1e9 * self.bits_per_weight? / 8.0) as u64))
    }
}

/// Billions of parameters in a text such as `7B`, `30B-A3B`, `494M` or `qwen2.5-0.5b-instruct`. Of several the largest
/// (`30b-a3b` has 30 billion, of which 3 work at a time); `8x7b` is 56.
pub(crate) fn parameters_in(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    lower
        .split(['-', '_', ':', '/', '@', ' ', '(', ')', ','])
        .filter_map(parameters_of)
        .fold(None, |largest: Option<f64>, next| Some(largest.map_or(next, |largest| largest.max(next))))
}

fn parameters_of(word: &str) -> Option<f64> {
    let (number, unit) = match (word.strip_suffix('b'), word.strip_suffix('m')) {
        (Some(number), _) => (number, 1.0),
        (None, Some(number)) => (number, 0.001),
        (None, None) => return None,
    };
    let number = number.strip_prefix(['a', 'e']).unwrap_or(number);
    let billions = match number.split_once('x') {
        Some((experts, each)) => plain_number(experts)? * plain_number(each)?,
        None => plain_number(number)?,
    };
    Some(billions * unit).filter(|billions| *billions > 0.0)
}

fn plain_number(text: &str) -> Option<f64> {
    let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if digits_only { text.parse().ok() } else { None }
}

/// The quantisation's name inside a model id or file name.
pub(crate) fn quantization_in(name: &str) -> Option<String> {
    let upper = name.trim_end_matches(".gguf").to_ascii_uppercase();
    let words = || upper.split(['-', ':', '/', '@', '.', ' ']);
    words().find(|word| looks_quantized(word)).map(str::to_owned)
}

fn looks_quantized(word: &str) -> bool {
    let known = ["MXFP4", "NVFP4", "FP4", "FP8", "INT4", "INT8", "AWQ", "GPTQ", "BF16", "F16", "FP16", "F32", "FP32"];
    let k_quant = word.strip_prefix("UD_").unwrap_or(word);
    let k_quant = k_quant.strip_prefix('I').unwrap_or(k_quant);
    let is_k_quant = k_quant.strip_prefix('Q').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let is_bits = word.strip_suffix("BIT").is_some_and(|bits| plain_number(bits).is_some());
    is_k_quant || is_bits || known.contains(&word)
}

/// The usual bits per weight of a quantisation.
pub(crate) fn bits_of(name: &str) -> Option<f64> {
    let upper = name.trim().to_ascii_uppercase().replace('-', "_");
    if let Some((_, bits)) = KNOWN_BITS.iter().find(|(known, _)| upper.starts_with(known) || upper.ends_with(known)) {
        return Some(*bits);
    }
    // Everything else says its bits as a number: `Q4_K_XL`, `4bit`, `int8`, `fp8`, `F32`.
    let digits: String = upper.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|bits: &f64| (1.0..=64.0).contains(bits))
}
